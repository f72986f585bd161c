"""The tokens to draw from are those of transformers, and are right for ties and for logits of any size."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.generation.logits_process import (
    LogitsProcessor,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from gpt2forge.runtime.candidates import Array, find_candidates, weigh
from gpt2forge.runtime.sampling import Sampling
from tests.runtime.drawn_logits import draw_logits, draw_texts, process

TEXTS = draw_texts(0, 3)
SEEDS = pytest.mark.parametrize("seed", range(4))


def keep(logits: Array, sampling: Sampling) -> Array:
    """Return which of logits (B, V) belong to tokens that may be drawn."""
    is_kept = np.zeros(logits.shape, bool)
    for row, place in zip(logits, is_kept, strict=True):
        found = find_candidates(row, float(row.max()), sampling)
        place[found.tokens[found.order[: found.count]]] = found.weights[: found.count] > 0
    return is_kept


def keep_theirs(logits: Array, warpers: Sequence[LogitsProcessor]) -> Array:
    for warper in warpers:
        logits = process(warper, TEXTS, logits)
    return np.isfinite(logits)


@SEEDS
@pytest.mark.parametrize("temperature", [0.1, 0.8, 1.0, 3.0])
def test_temperature_is_that_of_transformers(seed: int, temperature: float) -> None:
    logits = draw_logits(seed)
    wanted = process(TemperatureLogitsWarper(temperature), TEXTS, logits)
    found = np.stack([weigh(row, float(row.max()), temperature) for row in logits])
    np.testing.assert_allclose(found, np.exp(wanted - wanted.max(axis=1, keepdims=True)), rtol=2e-5, atol=1e-30)


@SEEDS
@pytest.mark.parametrize("count", [1, 2, 40, 1499, 1500, 2000])
def test_top_k_is_that_of_transformers(seed: int, count: int) -> None:
    logits = draw_logits(seed)
    assert (keep(logits, Sampling(top_k=count)) == keep_theirs(logits, [TopKLogitsWarper(count)])).all()


@SEEDS
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.95, 0.999])
def test_top_p_is_that_of_transformers(seed: int, share: float) -> None:
    logits = draw_logits(seed)
    assert (keep(logits, Sampling(top_p=share)) == keep_theirs(logits, [TopPLogitsWarper(share)])).all()


@SEEDS
@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 1.0])
def test_min_p_is_that_of_transformers(seed: int, share: float) -> None:
    logits = draw_logits(seed)
    assert (keep(logits, Sampling(min_p=share)) == keep_theirs(logits, [MinPLogitsWarper(share)])).all()


@SEEDS
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
def test_typical_is_that_of_transformers(seed: int, share: float) -> None:
    logits = draw_logits(seed)
    assert (keep(logits, Sampling(typical_p=share)) == keep_theirs(logits, [TypicalLogitsWarper(share)])).all()


@SEEDS
@pytest.mark.parametrize("top_k", [0, 50])
def test_filters_behind_each_other_are_those_of_transformers(seed: int, top_k: int) -> None:
    """Tokens that are out stay out, and count for nothing."""
    logits = draw_logits(seed)
    found = keep(logits, Sampling(1.0, top_k, 0.9, 0.02, 0.8))
    first = [TopKLogitsWarper(top_k)] if top_k else []
    warpers = [*first, TopPLogitsWarper(0.9), MinPLogitsWarper(0.02), TypicalLogitsWarper(0.8)]
    assert (found == keep_theirs(logits, warpers)).all()
    assert 0 < found.sum() < 150


@given(st.integers(0, 2**32), st.integers(1, 5000), st.floats(0.01, 0.9999), st.floats(0.2, 3.0))
def test_top_p_keeps_the_fewest_that_reach_it(seed: int, size: int, share: float, spread: float) -> None:
    logits = (np.random.default_rng(seed).permutation(size) * spread / 100).astype(np.float32)[None]
    kept = keep(logits, Sampling(top_p=share))[0]
    weights = np.exp(logits[0].astype(np.float64) - logits.max())
    shares = weights / weights.sum()
    assert shares[kept].sum() >= share - 1e-5
    assert shares[kept].sum() - shares[kept].min() < share + 1e-5
    assert kept[logits[0].argmax()]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("sampling", [Sampling(top_p=0.95), Sampling(top_p=0.6), Sampling(1.0, 0, 0.97, 0.01, 0.9)])
def test_tokens_that_are_left_out_early_change_no_draw(
    sampling: Sampling, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some rows reach `top_p` without them and others do not; both are ranked once more with all tokens that may stay."""
    sampling, places = replace(sampling, temperature=temperature), np.linspace(0, 1, 50, endpoint=False)
    logits = np.concatenate([spread * draw_logits(7) for spread in (0.1, 0.3, 1, 3)])
    found = [find_candidates(row, float(row.max()), sampling) for row in logits]
    monkeypatch.setattr("gpt2forge.runtime.candidates.LIKELY", 1)
    for row, few in zip(logits, found, strict=True):
        all_of_them = find_candidates(row, float(row.max()), sampling)
        assert few.count == all_of_them.count <= len(few.tokens) <= len(all_of_them.tokens)
        assert [few.find_quantile(place) for place in places] == [all_of_them.find_quantile(place) for place in places]
    ranked = [len(few.tokens) for few in found]
    assert min(ranked) < max(ranked)


FILTERS = [Sampling(top_k=1), Sampling(top_p=0.01), Sampling(min_p=1.0), Sampling(typical_p=0.01)]


@pytest.mark.parametrize("sampling", FILTERS, ids=str)
def test_equal_tokens_stay_together(sampling: Sampling) -> None:
    logits = np.zeros((2, 2000), np.float32)
    logits[1, 5:7] = 9
    found = keep(logits, sampling)
    assert found[0].all()
    assert found[1].nonzero()[0].tolist() == [5, 6]


@pytest.mark.parametrize("sampling", [*FILTERS, Sampling(temperature=1e-50)], ids=str)
def test_logits_of_any_size_keep_the_likeliest(sampling: Sampling) -> None:
    logits = np.array([[3e38, -3e38, 0.0], [-np.inf, -3e38, -np.inf], [1e-38, 0.0, -np.inf]], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        found = keep(logits, sampling)
    assert found.any(axis=1).all()
    assert [row.nonzero()[0].tolist() for row in found[:2]] == [[0], [1]]
