"""Tests of packages that are float16 throughout.

ONNX Runtime computes float16 in float32 on a CPU, so a test of its own checks that every value fits into float16.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

pytest.importorskip("torch")

from gpt2forge.errors import UserError
from gpt2forge.graph.interface import LOGITS
from gpt2forge.graph.passes import PASSES
from gpt2forge.measure.distributions import summarize_window
from gpt2forge.measure.divergence import compare_window
from gpt2forge.pytorch.oracle import Oracle, load_model
from gpt2forge.runtime.decoder import open_decoder
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape
from gpt2forge.runtime.text import encode_beginning, read_tokenizer
from tests.graph.models import Shape, Tiny, distance, make_tiny, torch_logits
from tests.quantize.packages import FLOAT16, logits_of, pack, spoil
from tests.workshop import Workshop

pytestmark = pytest.mark.slow

NAME = "nano-cuda-float16"
UNFUSED = [name for name in PASSES if name != "attention"]


def test_all_but_logits_is_float16(measured: Workshop) -> None:
    graph = onnx.load(measured.build(NAME) / "model.onnx", load_external_data=False).graph
    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16}
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.output, *graph.value_info)}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert {name for name, kind in types.items() if kind in floats and kind == onnx.TensorProto.FLOAT} == {LOGITS}
    assert types["past_key_values.0.key"] == types["present.3.value"] == onnx.TensorProto.FLOAT16
    assert [node.name for node in graph.node if node.op_type == "Cast"] == ["logits.float32"]
    assert not {node.op_type for node in graph.node} & {"GroupQueryAttention", "MultiHeadAttention"}


def test_it_says_what_pytorch_says(measured: Workshop) -> None:
    said = ("--name", "proven", "--set", "verify.tokens=2048", "--set", "verify.max_perplexity_increase=1%")
    found = measured.report(NAME, *said, measured=True)["verify"]
    assert 0 < found["kl_mean"] < 2e-5 and found["top1_agreement"] > 0.99
    assert abs(found["perplexity"] / found["perplexity_reference"] - 1) < 5e-4


def test_no_value_on_the_way_is_beyond_float16(measured: Workshop) -> None:
    folder = measured.build(NAME)
    model = onnx.load(folder / "model.onnx")  # with its weights
    known = {value.name for value in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name and name not in known]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)  # an output has its declared type
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = make_feeds(np.arange(200)[None], read_cache_shape(session).empty(1))
    found = dict(zip(names, session.run(names, feeds), strict=True))
    halves = {name: value for name, value in found.items() if value.dtype == np.float16}
    assert len(halves) > 100 and "h.0.attn.core.scores" in halves
    assert all(np.isfinite(value).all() for value in halves.values())


def test_row_that_sees_nothing_is_finite(measured: Workshop) -> None:
    decoder = open_decoder(measured.build(NAME))
    mask = np.array([[0, 0, 0, 1, 1], [1, 1, 1, 1, 1]])
    logits = decoder.read(np.array([[7, 7, 7, 11, 12], [1, 2, 3, 4, 5]]), mask)
    assert logits.dtype == np.float32 and np.isfinite(logits).all()
    alone = decoder.read(np.array([[11, 12]]))
    np.testing.assert_allclose(logits[0, 3:], alone[0], atol=0.02)


def test_another_runtime_is_told_of_the_device(measured: Workshop) -> None:
    config = json.loads((measured.build(NAME) / "genai_config.json").read_text())
    assert config["model"]["decoder"]["session_options"]["provider_options"] == [{"cuda": {}}]
    assert config["search"]["past_present_share_buffer"] is False


@pytest.fixture(scope="module")
def nano(measured: Workshop) -> tuple[Tiny, list[int]]:
    """Return the model of the recipe, from the artifacts of its build, and a window of its held-out text."""
    measured.build(NAME)
    steps = json.loads((measured.folder / f"build/{NAME}.json").read_text())["steps"]
    places = {step["stage"]: measured.store / "artifacts" / step["digest"] for step in steps if step["digest"]}
    weights, text = places["convert"], (measured.folder / "examples/nano/heldout.txt").read_text()
    tokens = encode_beginning(read_tokenizer(weights), text, 256)
    return Tiny(load_model(weights), Shape(4096, 256, 4, 32, 4), weights, places["export"]), list(tokens)


@pytest.mark.parametrize("function", ["gelu", "bias", "skip_layer_norm"])
def test_standard_operators_do_too(nano: tuple[Tiny, list[int]], tmp_path: Path, function: str) -> None:
    tiny, tokens = nano
    pack(tiny, tmp_path / "out", FLOAT16, [name for name in UNFUSED if name != function])
    logits = logits_of(tmp_path / "out", np.array([tokens]))[0]
    reference = summarize_window(Oracle(tiny.model).read(tokens), tokens, np.random.default_rng(0))
    assert 0 < compare_window(logits, reference).kl.mean() < 2e-5


@pytest.mark.parametrize("activation", ["gelu", "relu", "silu", "tanh"])
def test_every_activation_works(tmp_path: Path, activation: str) -> None:
    tiny = make_tiny(tmp_path, Shape(activation=activation, scaled_by_layer=True, epsilon=1e-3))
    pack(tiny, tmp_path / "out", FLOAT16, UNFUSED)
    ids = tiny.ids(2, 9)
    logits = logits_of(tmp_path / "out", ids)
    assert logits.dtype == np.float32 and distance(logits, torch_logits(tiny.model, ids)) < 5e-3


def test_weight_that_float16_cannot_hold_is_named(tmp_path: Path) -> None:
    tiny = make_tiny(tmp_path, Shape(layers=1))
    spoil(tiny, "h.0.mlp.c_fc.weight", 65520)
    with pytest.raises(UserError, match=r"`h\.0\.mlp\.c_fc\.weight` cannot be quantized: a value is beyond 65504"):
        pack(tiny, tmp_path / "out", FLOAT16, UNFUSED)
