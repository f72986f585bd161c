"""Tests of int8 keys and values: their stored values, the passes that read them, and the errors."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("torch")

import torch
from transformers import GPT2LMHeadModel

from gpt2forge.errors import UserError
from gpt2forge.graph.model_file import read_graph, write_graph
from gpt2forge.graph.passes import PASSES
from gpt2forge.graph.passes.fusion import fuse
from gpt2forge.quantize.kv_cache import HEADROOM, Magnitudes, quantize_cache
from gpt2forge.quantize.prompt_attention import PROMPT
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.growing_step import GrowingStep
from gpt2forge.runtime.in_place_step import InPlaceStep
from gpt2forge.runtime.session import open_graph
from tests.graph.models import Array, Tiny, distance, pad_left, torch_logits

LENGTH = 40


def read_torch_cache(model: GPT2LMHeadModel, ids: Array) -> list[tuple[Array, Array]]:
    """Return the keys and values of each layer, (B, H, T, D) each."""
    with torch.no_grad():
        layers = model(torch.tensor(ids), use_cache=True).past_key_values.layers
    return [(layer.keys.numpy(), layer.values.numpy()) for layer in layers]


def find_magnitudes(tiny: Tiny, factor: float = 1) -> list[Magnitudes]:
    """Return the magnitudes that calibration finds on one text, times a factor."""
    cache = read_torch_cache(tiny.model, tiny.ids(1, LENGTH))
    return [Magnitudes(*(np.float32(factor) * np.abs(part).max(axis=(0, 2)) for part in layer)) for layer in cache]


def open_quantized(tiny: Tiny, folder: Path, magnitudes: Sequence[Magnitudes]) -> ort.InferenceSession:
    """Open the fused graph with this cache and float32 weights."""
    model = read_graph(tiny.graph)
    fuse(model, tuple(PASSES))
    quantize_cache(model, magnitudes)
    folder.mkdir()
    write_graph(model, folder)
    return open_graph(folder, tiny.weights, threads=1)


def read_pass(session: ort.InferenceSession, ids: Array, mask: Array | None = None) -> Array:
    return run(session, make_feeds(ids, read_cache_shape(session).empty(len(ids)), mask))[0]


def read_steps(session: ort.InferenceSession, ids: Array) -> Array:
    """Return the logits (S, V) of one row (S,), read token by token in one cache."""
    step = InPlaceStep(session, read_cache_shape(session), len(ids), session.get_outputs()[0].shape[-1])
    return np.stack([step(ids[None, place : place + 1])[0].copy() for place in range(len(ids))])


@pytest.fixture
def quantized(tiny: Tiny, tmp_path: Path) -> ort.InferenceSession:
    return open_quantized(tiny, tmp_path / "quantized", find_magnitudes(tiny))


def test_logits_are_near_those_of_pytorch(tiny: Tiny, quantized: ort.InferenceSession) -> None:
    ids = tiny.ids(1, LENGTH)
    assert 1e-4 < distance(read_pass(quantized, ids), torch_logits(tiny.model, ids)) < 0.03


def test_what_is_kept_is_pytorchs_keys_and_values_rounded(tiny: Tiny, quantized: ort.InferenceSession) -> None:
    ids = tiny.ids(1, LENGTH)
    kept = run(quantized, make_feeds(ids, read_cache_shape(quantized).empty(1)))[1]
    first, largest = read_torch_cache(tiny.model, ids)[0], find_magnitudes(tiny)[0]
    for part, expected in zip(("key", "value"), first, strict=True):  # later layers read what the first one rounded
        stored = kept[f"past_key_values.0.{part}"]
        scales = (getattr(largest, part) * HEADROOM / 127)[None, :, None, :]
        assert stored.dtype == np.int8
        assert np.abs(stored).max() == round(127 / float(HEADROOM))
        assert np.all(np.abs(stored * scales - expected) <= 0.501 * scales)


@pytest.mark.parametrize("factor", [1, 20])
def test_a_pass_reads_what_is_kept_as_steps_do(tiny: Tiny, tmp_path: Path, factor: float) -> None:
    """Otherwise `verify`, which reads whole windows, would not measure the cache."""
    session = open_quantized(tiny, tmp_path / "coarse", find_magnitudes(tiny, factor))
    ids = tiny.ids(1, LENGTH)
    whole = read_pass(session, ids)
    assert distance(read_steps(session, ids[0])[None], whole) < 1e-6
    assert (distance(whole, torch_logits(tiny.model, ids)) > 0.05) is (factor == 20)


@pytest.mark.parametrize("sizes", [(5, PROMPT, 1), (PROMPT, 8, 1), (PROMPT - 1, 9, 1)])
def test_prompts_behind_others_are_what_steps_are(
    tiny: Tiny, quantized: ort.InferenceSession, sizes: Sequence[int]
) -> None:
    """In place and fed back, in the kernel for few tokens and in that for a prompt."""
    (ids,) = tiny.ids(1, sum(sizes))
    shape, vocabulary = read_cache_shape(quantized), quantized.get_outputs()[0].shape[-1]
    expected = read_steps(quantized, ids)
    for step in (InPlaceStep(quantized, shape, len(ids) + 7, vocabulary), GrowingStep(quantized, shape)):
        for start, end in pairwise([0, *accumulate(sizes)]):
            assert distance(step(ids[None, start:end])[0].copy(), expected[end - 1]) < 1e-6


def test_a_cache_in_place_is_that_which_is_fed_back(tiny: Tiny, quantized: ort.InferenceSession) -> None:
    (ids,) = tiny.ids(1, LENGTH)
    copied = GrowingStep(quantized, read_cache_shape(quantized))
    pieces = [ids[:5], *(ids[place : place + 1] for place in range(5, LENGTH))]
    assert np.array_equal(np.stack([copied(piece[None])[0].copy() for piece in pieces]), read_steps(quantized, ids)[4:])


def test_rows_of_a_padded_batch_are_those_alone(tiny: Tiny, quantized: ort.InferenceSession) -> None:
    rows = [tiny.ids(LENGTH), tiny.ids(7)]
    together = read_pass(quantized, *pad_left(rows))
    for row, ids in zip(together, rows, strict=True):
        assert distance(row[None, -len(ids) :], read_pass(quantized, ids[None])) < 0.02


def test_channel_that_was_always_zero_is_kept_as_zero(tiny: Tiny, tmp_path: Path) -> None:
    magnitudes = find_magnitudes(tiny)
    magnitudes[1].value[0] = 0
    session = open_quantized(tiny, tmp_path / "zero", magnitudes)
    assert np.isfinite(read_pass(session, tiny.ids(1, LENGTH))).all()


def fail(tiny: Tiny, magnitudes: Sequence[Magnitudes], passes: Sequence[str] = tuple(PASSES)) -> str:
    model = read_graph(tiny.graph)
    fuse(model, passes)
    with pytest.raises(UserError) as error:
        quantize_cache(model, magnitudes)
    return str(error.value)


def test_what_cannot_be_is_said(tiny: Tiny) -> None:
    magnitudes = find_magnitudes(tiny)
    assert fail(tiny, magnitudes, ["gelu"]) == "`quantization.kv_cache: int8` needs `fusion.attention: true`"
    assert fail(tiny, magnitudes[:1]) == "the statistics are of 1 layers, but this model has 2; calibrate this model"
    narrow = Magnitudes(magnitudes[0].key, magnitudes[0].value[:, :4])
    assert fail(tiny, [narrow, magnitudes[1]]) == (
        "`h.0.attn.value.largest` is [3, 4], but this model's heads are [3, 8]; calibrate this model"
    )
    magnitudes[1].key[2, 5] = np.inf
    assert fail(tiny, magnitudes) == (
        "`h.1.attn.key.largest`: a value is not finite; start from an earlier checkpoint, or use `kv_cache: float32`"
    )
