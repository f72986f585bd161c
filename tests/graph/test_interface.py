"""Tests of the inputs and outputs of a graph, as onnxruntime reports them."""

from pathlib import Path

import onnx_ir as ir
import pytest

from gpt2forge.graph.interface import count_layers, past_names, present_names
from gpt2forge.graph.passes import PASSES
from tests.graph.models import Tiny

CACHE = ["batch_size", 3, "past_sequence_length", 8]
PRESENT = ["batch_size", 3, "total_sequence_length", 8]


@pytest.mark.parametrize("passes", [(), tuple(PASSES)], ids=["plain", "fused"])
def test_names_types_and_dimensions_are_those_that_tools_feed(
    tiny: Tiny, tmp_path: Path, passes: tuple[str, ...]
) -> None:
    session = tiny.fuse(tmp_path, passes)
    assert [(value.name, value.type, value.shape) for value in session.get_inputs()] == [
        ("input_ids", "tensor(int64)", ["batch_size", "sequence_length"]),
        ("attention_mask", "tensor(int64)", ["batch_size", "total_sequence_length"]),
        ("position_ids", "tensor(int64)", ["batch_size", "sequence_length"]),
        ("past_key_values.0.key", "tensor(float)", CACHE),
        ("past_key_values.0.value", "tensor(float)", CACHE),
        ("past_key_values.1.key", "tensor(float)", CACHE),
        ("past_key_values.1.value", "tensor(float)", CACHE),
    ]
    assert [(value.name, value.shape) for value in session.get_overridable_initializers()] == [("logits_to_keep", [1])]
    assert [(value.name, value.type, value.shape) for value in session.get_outputs()] == [
        ("logits", "tensor(float)", ["batch_size", "sequence_length + 0", 101]),
        ("present.0.key", "tensor(float)", PRESENT),
        ("present.0.value", "tensor(float)", PRESENT),
        ("present.1.key", "tensor(float)", PRESENT),
        ("present.1.value", "tensor(float)", PRESENT),
    ]
    assert session.get_modelmeta().producer_name == "gpt2forge"


def test_layers_are_counted_by_their_cache() -> None:
    names = ["input_ids", *(name for layer in range(12) for name in past_names(layer))]
    assert count_layers(ir.Value(name=name) for name in names) == 12
    assert count_layers(ir.Value(name=name) for name in present_names(0)) == 0
