"""Weights per channel whose few rows are multiplied in blocks: many rows are those of the form per channel alone."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from gpt2forge.graph.model_file import GRAPH_FILE, read_graph
from gpt2forge.quantize.data_file import DATA_FILE
from gpt2forge.quantize.few_rows import MANY, choose_block
from gpt2forge.quantize.scheme import make_scheme
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape
from tests.graph.models import Shape, Tiny, distance, make_tiny
from tests.quantize.packages import SCHEMES, logits_of, pack

CHANNEL, DOUBLE = SCHEMES["int8-channel"], SCHEMES["int8-channel-few"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("tiny"), Shape(heads=2, head_width=16))


@pytest.fixture(scope="module")
def packages(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    for name, scheme in (("channel", CHANNEL), ("double", DOUBLE)):
        pack(tiny, folder / name, scheme)
    return folder


@pytest.mark.parametrize(("texts", "length", "is_same"), [(1, MANY, True), (2, MANY // 2, True), (1, MANY - 1, False)])
def test_many_tokens_take_the_product_per_channel(
    tiny: Tiny, packages: Path, texts: int, length: int, is_same: bool
) -> None:
    ids = tiny.ids(texts, length)
    apart = distance(logits_of(packages / "double", ids), logits_of(packages / "channel", ids))
    assert apart < 1e-6 if is_same else 1e-6 < apart < 0.05


def test_weights_are_in_the_file_once(packages: Path) -> None:
    sizes = [(packages / name / DATA_FILE).stat().st_size for name in ("channel", "double")]
    assert sizes[0] == sizes[1]


def test_a_run_computes_no_weights(tiny: Tiny, packages: Path, tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "profile")
    session = ort.InferenceSession(packages / "double" / GRAPH_FILE, options, providers=["CPUExecutionProvider"])
    session.run(None, make_feeds(tiny.ids(1, MANY), read_cache_shape(session).empty(1)))
    events = json.loads(Path(session.end_profiling()).read_text())
    ran = {event["name"].removesuffix("_kernel_time") for event in events if event["cat"] == "Node"}
    assert {name for name in ran if ".weight." in name} == set()
    assert sum(name.endswith(".many") for name in ran) == 8


def test_a_length_that_no_block_divides_takes_the_product_per_channel_alone(tmp_path: Path) -> None:
    assert [choose_block(length) for length in (1280, 1600, 48, 20)] == [128, 64, 16, None]
    tiny = make_tiny(tmp_path / "narrow", Shape(heads=1, head_width=20, layers=1, inner=48))
    pack(tiny, tmp_path / "out", DOUBLE, [])
    nodes = {str(node.name): node.op_type for node in read_graph(tmp_path / "out").graph}
    assert (nodes["h.0.mlp.c_fc"], nodes["h.0.mlp.c_proj"]) == ("MatMulIntegerToFloat", "If")


def test_layers_of_another_granularity_stay_as_they_are(tiny: Tiny, tmp_path: Path) -> None:
    scheme = make_scheme("int8", 32, "int8", overrides={"h.0.*": (8, "channel")}, few_rows="blocks")
    pack(tiny, tmp_path / "out", scheme)
    nodes = {str(node.name): node.op_type for node in read_graph(tmp_path / "out").graph}
    assert (nodes["h.0.mlp.c_fc"], nodes["h.1.mlp.c_fc"]) == ("If", "MatMulNBits")
    assert np.isfinite(logits_of(tmp_path / "out", tiny.ids(1, 3))).all()
