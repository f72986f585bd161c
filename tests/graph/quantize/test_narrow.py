"""Everything in float16, as a GPU computes it; the CPU runs the same graph with casts around what it has no kernel for."""

import json
from typing import Any

import numpy as np
import onnx
import pytest

from gpt2forge.graph.decode import open_decoder
from gpt2forge.graph.interface import LOGITS
from tests.workshop import Workshop

NAME = "nano-cuda-float16"


def verify(workshop: Workshop, name: str, *words: str) -> dict[str, Any]:
    """What a build of the recipe with these words measures on some text."""
    said = ("--name", name, "--set", "verify.tokens=2048", "--set", "verify.max_perplexity_increase=1%", *words)
    found: dict[str, Any] = workshop.report(NAME, *said, measured=True)["verify"]
    return found


def test_all_but_logits_is_float16(workshop: Workshop) -> None:
    graph = onnx.load(workshop.build(NAME) / "model.onnx", load_external_data=False).graph
    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16}
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.output, *graph.value_info)}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert {name for name, kind in types.items() if kind in floats and kind == onnx.TensorProto.FLOAT} == {LOGITS}
    assert types["past_key_values.0.key"] == types["present.3.value"] == onnx.TensorProto.FLOAT16
    assert [node.name for node in graph.node if node.op_type == "Cast"] == ["logits.float32"]
    assert not {node.op_type for node in graph.node} & {"GroupQueryAttention", "MultiHeadAttention"}


def test_it_says_what_pytorch_says(workshop: Workshop) -> None:
    found = verify(workshop, "proven")
    assert 0 < found["kl_mean"] < 2e-5 and found["top1_agreement"] > 0.99
    assert abs(found["perplexity"] / found["perplexity_reference"] - 1) < 5e-4


def test_row_that_sees_nothing_is_finite(workshop: Workshop) -> None:
    decoder = open_decoder(workshop.build(NAME))
    mask = np.array([[0, 0, 0, 1, 1], [1, 1, 1, 1, 1]])
    logits = decoder.read(np.array([[7, 7, 7, 11, 12], [1, 2, 3, 4, 5]]), mask)
    assert logits.dtype == np.float32 and np.isfinite(logits).all()
    alone = decoder.read(np.array([[11, 12]]))
    np.testing.assert_allclose(logits[0, 3:], alone[0], atol=0.02)


def test_another_runtime_is_told_of_the_device(workshop: Workshop) -> None:
    config = json.loads((workshop.build(NAME) / "genai_config.json").read_text())
    assert config["model"]["decoder"]["session_options"]["provider_options"] == [{"cuda": {}}]
    assert config["search"]["past_present_share_buffer"] is False


@pytest.mark.parametrize("function", ["gelu", "bias", "skip_layer_norm"])
def test_standard_operators_do_too(workshop: Workshop, function: str) -> None:
    assert verify(workshop, f"without-{function}", "--set", f"fusion.{function}=false")["kl_mean"] < 2e-5
