"""Tokens are drawn in proportion to their probabilities, each row by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.errors import UserError
from gpt2forge.runtime.draw import check_choice, draw_tokens, find_quantile


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
    fractions = (np.arange(20_000) + 0.5) / 20_000
    counts = np.bincount(draw_tokens(np.tile(logits, (20_000, 1)), fractions), minlength=6)
    shares = np.exp(logits.astype(np.float64))
    np.testing.assert_allclose(counts / 20_000, shares / shares.sum(), atol=1e-4)


def test_row_without_a_token_to_choose_is_an_error() -> None:
    with pytest.raises(UserError, match=r"^no token is left to choose; forbid fewer of them$"):
        check_choice(np.array([[1.0, 2.0], [-np.inf, -np.inf]], np.float32))
    with pytest.raises(UserError, match=r"^the model's logits are not finite numbers; build the package again"):
        check_choice(np.array([[1.0, np.nan]], np.float32))
    check_choice(np.array([[-np.inf, 0.0]], np.float32))
