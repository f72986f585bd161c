"""Tokens are drawn in proportion to their probabilities, as the settings say, each row by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.errors import UserError
from gpt2forge.runtime.draw import check_choice, choose_tokens, find_quantile
from gpt2forge.runtime.sampling import GREEDY, Sampling


@given(st.integers(0, 2**32), st.integers(1, 400), st.floats(0, 1, exclude_max=True))
def test_quantile_is_that_of_one_running_sum_over_all_weights(seed: int, size: int, part: float) -> None:
    random = np.random.default_rng(seed)
    weights = random.integers(0, 5, size).astype(np.float32)
    weights[random.integers(size)] = 3
    index, reached = find_quantile(weights, part), np.cumsum(weights, dtype=np.float64)
    assert (reached[index - 1] if index else 0.0) <= part * reached[-1] < reached[index]
    assert weights[index] > 0


def test_draws_have_the_shares_of_the_softmax() -> None:
    logits = np.array([0.1, 2.0, -1.0, 1.9, -np.inf, 0.5], np.float32)
    shares = np.exp(logits.astype(np.float64))
    weights = (shares / shares.max()).astype(np.float32)
    counts = np.bincount([find_quantile(weights, (number + 0.5) / 20_000) for number in range(20_000)], minlength=6)
    np.testing.assert_allclose(counts / 20_000, shares / shares.sum(), atol=1e-4)


def test_row_without_a_token_to_choose_is_an_error() -> None:
    with pytest.raises(UserError, match=r"^no token is left to choose; forbid fewer of them$"):
        check_choice(float(-np.inf))
    with pytest.raises(UserError, match=r"^the model's logits are not finite numbers; build the package again"):
        check_choice(float(np.nan))
    check_choice(0.0)


@pytest.mark.parametrize("wrong", [[-np.inf, -np.inf], [1.0, np.nan], [np.inf, 0.0]])
def test_row_that_allows_no_choice_is_found_beside_others(wrong: list[float]) -> None:
    random = np.random.default_rng(0)
    for sampling in (GREEDY, Sampling()):
        with pytest.raises(UserError):
            choose_tokens(np.array([[1.0, 2.0], wrong], np.float32), sampling, [random, random])


LOGITS = np.array([0.1, 2.0, -1.0, 1.9, 0.5], np.float32)


def draw(sampling: Sampling, count: int, seed: int = 1) -> list[int]:
    generator = np.random.default_rng(seed)
    return [choose_tokens(LOGITS[None], sampling, [generator])[0] for _ in range(count)]


def test_temperature_zero_is_greedy() -> None:
    assert draw(GREEDY, 3) == [1, 1, 1]
    assert draw(Sampling(temperature=0, top_k=3, top_p=0.5), 3) == [1, 1, 1]


def test_equal_seeds_choose_equally() -> None:
    assert draw(Sampling(), 20, seed=7) == draw(Sampling(), 20, seed=7)
    assert draw(Sampling(), 20, seed=7) != draw(Sampling(), 20, seed=8)


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(temperature=5, top_k=2), {1, 3}),
        (Sampling(temperature=5, top_k=9), {0, 1, 2, 3, 4}),
        (Sampling(top_p=0.4), {1}),
        (Sampling(top_p=0.5), {1, 3}),
        (Sampling(temperature=5, min_p=0.9), {1, 3}),
        (Sampling(temperature=5, typical_p=0.2), {0, 4}),
        (Sampling(temperature=5, top_k=3, min_p=0.9), {1, 3}),
    ],
    ids=str,
)
def test_filters_keep_what_they_say(sampling: Sampling, kept: set[int]) -> None:
    assert set(draw(sampling, 300)) == kept


def test_rows_do_not_depend_on_each_other() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (5, 700)).astype(np.float32)
    sampling = Sampling(temperature=1.5, top_k=200, top_p=0.97, min_p=0.001, typical_p=0.98)
    together = choose_tokens(logits, sampling, [np.random.default_rng(seed) for seed in range(5)])
    alone = [choose_tokens(logits[row : row + 1], sampling, [np.random.default_rng(row)])[0] for row in range(5)]
    assert together == alone


@pytest.mark.parametrize(
    ("sampling", "tokens"),
    [
        (Sampling(0.8, top_p=0.95), [1806, 4459, 477, 2077, 3860, 2622, 1130, 1758, 592, 1799, 613, 2115]),
        (Sampling(0.8, top_k=40, top_p=0.9), [1247, 1933, 477, 2077, 4821, 3265, 2424, 1758, 592, 1036, 3310, 2115]),
        (Sampling(1.3, 0, 0.99, 0.001), [3961, 2019, 685, 2077, 775, 4338, 4480, 518, 1607, 2858, 4874, 2840]),
        (Sampling(1.0, 0, 0.9, 0.0, 0.8), [4751, 2586, 477, 2077, 2879, 1954, 265, 1758, 3435, 1799, 1683, 2115]),
        (Sampling(), [3333, 2354, 477, 1070, 4412, 4049, 3035, 1758, 770, 4582, 4635, 1264]),
    ],
    ids=str,
)
def test_a_seed_chooses_in_every_version_what_it_chose_in_the_first(sampling: Sampling, tokens: list[int]) -> None:
    logits = np.random.default_rng(0).normal(0, 3, (12, 5000)).astype(np.float32)
    assert choose_tokens(logits, sampling, [np.random.default_rng(row) for row in range(12)]) == tokens
