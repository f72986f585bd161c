"""Tests that the levels of activations cover the outputs of each operator."""

import numpy as np
import onnx_ir as ir
import pytest

pytest.importorskip("torch")

import torch

from gpt2forge.graph.activation import write_tanh_gelu
from gpt2forge.graph.builder import Builder
from gpt2forge.quantize.activations import GELU, RELU, SIGNED, Levels, choose_levels
from tests.graph.models import Array

VALUES = np.linspace(-20, 20, 400_001, dtype=np.float32)


def gelu(approximate: str) -> Array:
    return np.asarray(torch.nn.functional.gelu(torch.tensor(VALUES), approximate=approximate).numpy())


@pytest.mark.parametrize("approximate", ["tanh", "none"])
def test_lowest_value_of_a_gelu_has_a_level_in_every_row(approximate: str) -> None:
    lowest_level = -GELU.zero_point * GELU.least / GELU.count
    assert lowest_level <= gelu(approximate).min() < 0.99 * lowest_level


@pytest.mark.parametrize(
    ("operator", "levels"),
    [("FastGelu", GELU), ("Gelu", GELU), ("BiasGelu", GELU), ("Relu", RELU), ("Tanh", SIGNED), ("Mul", SIGNED)],
)
def test_levels_go_by_the_operator(operator: str, levels: Levels) -> None:
    assert choose_levels(Builder().op("h.0.mlp.act", operator, [ir.Value(name="x")])) == levels


def test_gelu_in_standard_operators_is_known() -> None:
    assert choose_levels(write_tanh_gelu(Builder(), "h.0.mlp.act", ir.Value(name="x"))) == GELU


def test_input_of_the_graph_may_be_anything() -> None:
    assert choose_levels(ir.Value(name="x")) == SIGNED


def test_levels_use_all_of_uint8() -> None:
    assert [levels.count + levels.zero_point for levels in (SIGNED, GELU, RELU)] == [255, 255, 255]
