"""Filters keep the tokens that transformers keeps, and are right for ties and for logits of any size."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from gpt2forge.runtime.filters import (
    Array,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    keep_typical,
    scale_temperature,
)
from tests.runtime.drawn_logits import draw_logits, draw_texts, process

Filter = Callable[[Array], Array]

TEXTS = draw_texts(0, 3)
SEEDS = pytest.mark.parametrize("seed", range(4))


@SEEDS
@pytest.mark.parametrize("temperature", [0.1, 0.8, 1.0, 3.0])
def test_temperature_is_that_of_transformers(seed: int, temperature: float) -> None:
    logits = draw_logits(seed)
    wanted = process(TemperatureLogitsWarper(temperature), TEXTS, logits)
    found = scale_temperature(logits, temperature)
    np.testing.assert_allclose(found, wanted - wanted.max(axis=1, keepdims=True), atol=2e-5)


@SEEDS
@pytest.mark.parametrize("count", [1, 2, 40, 1499, 1500, 2000])
def test_top_k_is_that_of_transformers(seed: int, count: int) -> None:
    logits = draw_logits(seed)
    assert (keep_top_k(logits, count) == process(TopKLogitsWarper(count), TEXTS, logits)).all()


@SEEDS
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.95, 0.999])
def test_top_p_is_that_of_transformers(seed: int, share: float) -> None:
    logits = draw_logits(seed)
    assert (keep_top_p(logits, share) == process(TopPLogitsWarper(share), TEXTS, logits)).all()


@SEEDS
@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 1.0])
def test_min_p_is_that_of_transformers(seed: int, share: float) -> None:
    logits = draw_logits(seed)
    assert (keep_min_p(logits, share) == process(MinPLogitsWarper(share), TEXTS, logits)).all()


@SEEDS
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
def test_typical_is_that_of_transformers(seed: int, share: float) -> None:
    logits = draw_logits(seed)
    assert (keep_typical(logits, share) == process(TypicalLogitsWarper(share), TEXTS, logits)).all()


@SEEDS
def test_filters_behind_each_other_are_those_of_transformers(seed: int) -> None:
    """Tokens that are out stay out, and count for nothing."""
    found = wanted = draw_logits(seed)
    found = keep_typical(keep_min_p(keep_top_p(keep_top_k(found, 50), 0.9), 0.02), 0.8)
    for warper in (TopKLogitsWarper(50), TopPLogitsWarper(0.9), MinPLogitsWarper(0.02), TypicalLogitsWarper(0.8)):
        wanted = process(warper, TEXTS, wanted)
    assert (found == wanted).all()
    assert 0 < np.isfinite(found).sum() < 150


@given(st.integers(0, 2**32), st.integers(1, 5000), st.floats(0.01, 0.9999), st.floats(0.2, 3.0))
def test_top_p_keeps_the_fewest_that_reach_it(seed: int, size: int, share: float, spread: float) -> None:
    logits = (np.random.default_rng(seed).permutation(size) * spread / 100).astype(np.float32)[None]
    kept = np.isfinite(keep_top_p(logits, share))[0]
    weights = np.exp(logits[0].astype(np.float64) - logits.max())
    shares = weights / weights.sum()
    assert shares[kept].sum() >= share - 1e-5
    assert shares[kept].sum() - shares[kept].min() < share + 1e-5
    assert kept[logits[0].argmax()]


FILTERS: list[Filter] = [
    lambda logits: keep_top_k(logits, 1),
    lambda logits: keep_top_p(logits, 0.01),
    lambda logits: keep_min_p(logits, 1.0),
    lambda logits: keep_typical(logits, 0.01),
]


@pytest.mark.parametrize("keep", FILTERS)
def test_equal_tokens_stay_together(keep: Filter) -> None:
    logits = np.zeros((2, 2000), np.float32)
    logits[1, 5:7] = 9
    found = np.isfinite(keep(logits))
    assert found[0].all()
    assert found[1].nonzero()[0].tolist() == [5, 6]


@pytest.mark.parametrize("keep", [*FILTERS, lambda logits: scale_temperature(logits, 1e-30)])
def test_logits_of_any_size_keep_the_likeliest(keep: Filter) -> None:
    logits = np.array([[3e38, -3e38, 0.0], [-np.inf, -3e38, -np.inf], [1e-38, 0.0, -np.inf]], np.float32)
    with np.errstate(over="ignore"):
        found = keep(logits)
    assert not np.isnan(found).any()
    assert np.isfinite(found.max(axis=1)).all()
    assert found.argmax(axis=1)[:2].tolist() == [0, 1]
