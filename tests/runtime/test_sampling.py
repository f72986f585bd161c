"""Tests that the next token is chosen as the settings say."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.errors import UserError
from gpt2forge.runtime.sampling import Sampling, find_quantile, find_top, make_sampler, weigh_tokens

LOGITS = np.array([0.1, 2.0, -1.0, 1.9, 0.5], np.float32)


def draw(sampling: Sampling, count: int) -> list[int]:
    sample = make_sampler(sampling)
    return [sample(LOGITS) for _ in range(count)]


def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    shares = np.exp(logits - logits.max())
    return np.asarray(shares / shares.sum())


def test_temperature_zero_is_greedy() -> None:
    assert draw(Sampling(), 3) == [1, 1, 1]


def test_equal_seeds_choose_equally() -> None:
    assert draw(Sampling(temperature=1, seed=7), 20) == draw(Sampling(temperature=1, seed=7), 20)
    assert draw(Sampling(temperature=1, seed=7), 20) != draw(Sampling(temperature=1, seed=8), 20)


def test_choices_have_the_shares_of_the_softmax() -> None:
    counts = np.bincount(draw(Sampling(temperature=0.7, seed=1), 20_000), minlength=5)
    np.testing.assert_allclose(counts / 20_000, softmax(LOGITS.astype(float) / 0.7), atol=0.015)


def test_top_k_keeps_the_likeliest() -> None:
    assert set(draw(Sampling(temperature=5, top_k=2, seed=1), 200)) == {1, 3}
    assert set(draw(Sampling(temperature=5, top_k=9, seed=1), 500)) == {0, 1, 2, 3, 4}


def test_top_p_keeps_the_one_that_passes_it() -> None:
    assert set(draw(Sampling(temperature=1, top_p=0.4, seed=1), 200)) == {1}
    assert set(draw(Sampling(temperature=1, top_p=0.5, seed=1), 200)) == {1, 3}


@given(st.integers(0, 2**32), st.integers(2, 5000), st.floats(0.01, 1.0), st.floats(0.2, 3.0))
def test_top_p_keeps_the_fewest_that_reach_it(seed: int, count: int, top_p: float, temperature: float) -> None:
    logits = np.random.default_rng(seed).standard_normal(count).astype(np.float32)
    tokens, _ = weigh_tokens(logits, Sampling(temperature, top_p=top_p))
    shares = softmax(logits.astype(float) / temperature)
    assert len(set(tokens.tolist())) == len(tokens)
    assert shares[tokens].sum() >= top_p - 1e-9
    assert top_p == 1 or shares[tokens].sum() - shares[tokens].min() < top_p + 1e-9
    assert set(tokens.tolist()) >= {int(logits.argmax())}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": -1.0}, "temperature is -1.0; it must be 0 or more"),
        ({"temperature": float("nan")}, "temperature is nan; it must be 0 or more"),
        ({"top_k": -1}, "top-k is -1; it must be 0 (all tokens) or more"),
        ({"top_p": 0.0}, "top-p is 0.0; it must be above 0 and at most 1"),
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
    ],
)
def test_setting_without_meaning_is_an_error(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        Sampling(**wrong)
    assert str(error.value) == message


@given(st.integers(0, 2**32), st.integers(1, 400), st.integers(1, 450))
def test_top_is_that_of_a_full_sort(seed: int, length: int, count: int) -> None:
    values = np.random.default_rng(seed).permutation(length).astype(np.float32)
    assert find_top(values, count).tolist() == np.sort(np.argsort(values)[-count:]).tolist()


@given(st.integers(0, 2**32), st.integers(1, 400), st.floats(0, 1, exclude_max=True))
def test_quantile_is_that_of_one_running_sum(seed: int, length: int, part: float) -> None:
    shares = np.random.default_rng(seed).integers(1, 9, length).astype(np.float64)
    index = find_quantile(shares, part)
    reached = np.cumsum(shares)
    assert (reached[index - 1] if index else 0.0) <= part * reached[-1] < reached[index]
