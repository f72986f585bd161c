"""Tests of the pass `gelu`: its nodes and its errors."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from gpt2forge.graph.model_file import read_graph
from gpt2forge.graph.passes.fuse_gelu import fuse_gelu
from gpt2forge.graph.passes.fusion import fuse
from tests.graph.models import Shape, Tiny, make_tiny, refuse


def test_node_takes_the_place_of_the_activation(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    fuse_gelu(model)
    node = model.graph.node("h.1.mlp.act")
    assert (node.domain, node.op_type) == ("com.microsoft", "FastGelu")
    assert [value.name for value in node.inputs if value] == ["h.1.mlp.c_fc.bias_add"]
    assert [user.name for user in node.successors()] == ["h.1.mlp.c_proj"]


def test_gelu_with_erf_is_another_operator(tmp_path: Path) -> None:
    model = read_graph(make_tiny(tmp_path, Shape(activation="gelu")).graph)
    fuse_gelu(model)
    node = model.graph.node("h.1.mlp.act")
    assert (node.domain, node.op_type) == ("com.microsoft", "Gelu")
    assert [value.name for value in node.inputs if value] == ["h.1.mlp.c_fc.bias_add"]
    assert [user.name for user in node.successors()] == ["h.1.mlp.c_proj"]


@pytest.mark.parametrize(
    ("activation", "nodes"),
    [
        ("relu", ["Relu"]),
        ("tanh", ["Tanh"]),
        ("silu", ["Sigmoid", "Mul"]),
    ],
)
def test_other_activations_stay_standard_operators(tmp_path: Path, activation: str, nodes: list[str]) -> None:
    model = read_graph(make_tiny(tmp_path, Shape(activation=activation)).graph)
    fuse(model, ["gelu", "bias"])
    found = [node for node in model.graph if str(node.name).startswith("h.1.mlp.act")]
    assert [(node.domain, node.op_type) for node in found] == [("", operator) for operator in nodes]
    assert found[0].inputs[0] is model.graph.node("h.1.mlp.c_fc.bias_add").outputs[0]


def test_gelu_that_lost_its_erf_is_an_error(tmp_path: Path) -> None:
    model = read_graph(make_tiny(tmp_path, Shape(activation="gelu")).graph)
    model.graph.node("h.1.mlp.act.erf").op_type = "Tanh"
    assert refuse(fuse_gelu, model) == (
        "`h.1.mlp.act.erf` is `Tanh(h.1.mlp.act.narrow) [] -> h.1.mlp.act.erf`, "
        "expected `Erf(h.1.mlp.act.narrow) [] -> h.1.mlp.act.erf`"
    )


def test_another_constant_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.initializers["gelu.half"].const_value = ir.Tensor(np.array(0.25, np.float32), name="gelu.half")
    assert refuse(fuse_gelu, model) == "`h.0.mlp.act.gelu` reads the constant `gelu.half`, which is 0.25, expected 0.5"


def test_missing_node_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.node("h.1.mlp.act.tanh").name = "tanh"
    assert refuse(fuse_gelu, model) == (
        "`h.1.mlp.act.tanh` is missing, expected `Tanh(h.1.mlp.act.slope) [] -> h.1.mlp.act.tanh`"
    )


def test_value_used_elsewhere_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.outputs.append(model.graph.node("h.1.mlp.act.gate").outputs[0])
    assert refuse(fuse_gelu, model) == "`h.1.mlp.act.gate` cannot be removed: it is used by the graph's outputs"


def test_activation_that_is_an_output_stays_one(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.outputs.append(model.graph.node("h.1.mlp.act.gelu").outputs[0])
    fuse_gelu(model)
    assert model.graph.outputs[-1].producer() is model.graph.node("h.1.mlp.act")
