"""Tests that the graph of any configuration, after any passes, computes what transformers' GPT2LMHeadModel does."""

from collections.abc import Iterator, Sequence
from itertools import combinations, compress, pairwise, product
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from transformers import GPT2LMHeadModel

from gpt2forge.checkpoint.config import ACTIVATIONS
from gpt2forge.graph.activation import WRITERS
from gpt2forge.graph.model_file import read_graph, write_graph
from gpt2forge.graph.passes import PASSES
from gpt2forge.graph.passes.fusion import fuse
from gpt2forge.graph.validate import annotate_shapes, check_graph
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import open_graph
from tests.graph.models import Shape, distance, make_model, make_tiny, pad_left, torch_logits

SETTINGS = [list(compress(PASSES, switches)) for switches in product((0, 1), repeat=len(PASSES))]
HALVES = [[passes for passes in SETTINGS if len(passes) % 2 == rest] for rest in (0, 1)]
"""The settings in two halves; each has all combinations of any three passes."""
CLOSE = 1e-4  # of the logits' spread
GROUPED = 8  # GroupQueryAttention supports multiples of this head width

shapes = st.builds(
    Shape,
    vocabulary=st.integers(2, 300),
    positions=st.integers(24, 70),
    heads=st.integers(1, 5),
    head_width=st.one_of(st.sampled_from([8, 16, 24]), st.integers(1, 40)),
    layers=st.integers(1, 4),
    inner=st.one_of(st.none(), st.integers(1, 150)),
    tied=st.booleans(),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    epsilon=st.sampled_from([1e-12, 1e-6, 1e-5, 1e-2]),
    scaled=st.booleans(),
    scaled_by_layer=st.booleans(),
    upcast=st.booleans(),
)


def open_every(
    shape: Shape, folder: Path, settings: Sequence[Sequence[str]] = SETTINGS
) -> Iterator[tuple[GPT2LMHeadModel, ort.InferenceSession]]:
    """Open the graph, as the stage `fuse` writes it, for each of the settings that a model of this shape supports."""
    tiny = make_tiny(folder, shape)
    for passes in settings:
        if shape.head_width % GROUPED == 0 or "attention" not in passes:
            model = read_graph(tiny.graph)
            annotate_shapes(model)
            fuse(model, passes)
            check_graph(model)
            write_graph(model, folder)
            yield tiny.model, open_graph(folder, tiny.weights, threads=1)


@pytest.mark.slow
@settings(max_examples=24, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    shape=shapes,
    half=st.sampled_from(HALVES),
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_every_configuration_computes_what_transformers_does(
    shape: Shape, half: list[list[str]], lengths: list[int], seed: int
) -> None:
    """Each session reads a left-padded batch, then takes two steps of one token."""
    rng = np.random.default_rng(seed)
    ids, mask = pad_left([rng.integers(0, shape.vocabulary, length + 2) for length in lengths])
    real = mask == 1
    with TemporaryDirectory() as folder:
        expected = None
        for model, session in open_every(shape, Path(folder), half):
            expected = torch_logits(model, ids, mask) if expected is None else expected
            past, pieces = read_cache_shape(session).empty(len(ids)), []
            for start, end in pairwise([0, -2, -1, None]):
                logits, past = run(session, make_feeds(ids[:, start:end], past, mask[:, :end]))
                pieces.append(logits)
            found = np.concatenate(pieces, axis=1)
            assert distance(found[real], expected[real]) < CLOSE


@pytest.mark.parametrize("name", WRITERS)
def test_every_activation_is_computed_in_every_setting(tmp_path: Path, name: str) -> None:
    shape = Shape(activation=name)
    ids = np.arange(34).reshape(2, 17)
    for model, session in open_every(shape, tmp_path):
        logits, _ = run(session, make_feeds(ids, read_cache_shape(session).empty(2)))
        assert distance(logits, torch_logits(model, ids)) < CLOSE


def test_every_activation_that_is_read_can_be_written() -> None:
    assert set(ACTIVATIONS.values()) == set(WRITERS)


def test_activations_differ_by_more_than_the_tolerance(tmp_path: Path) -> None:
    ids = np.arange(34).reshape(2, 17)
    logits = [torch_logits(make_model(tmp_path / name, Shape(activation=name)), ids) for name in WRITERS]
    for one, other in combinations(logits, 2):
        assert distance(one, other) > CLOSE


@pytest.mark.parametrize(
    ("shape", "scales"),
    [
        (Shape(), [1 / sqrt(8), 1 / sqrt(8)]),
        (Shape(scaled=False), [1, 1]),
        (Shape(scaled_by_layer=True), [1 / sqrt(8), 1 / sqrt(8) / 2]),
        (Shape(scaled=False, scaled_by_layer=True), [1, 1 / 2]),
    ],
)
def test_fused_attention_has_the_scale_of_its_layer(tmp_path: Path, shape: Shape, scales: list[float]) -> None:
    model = read_graph(make_tiny(tmp_path, shape).graph)
    fuse(model, ["attention"])
    found = [model.graph.node(f"h.{layer}.attn.core").attributes.get_float("scale") for layer in (0, 1)]
    assert found == pytest.approx(scales)
