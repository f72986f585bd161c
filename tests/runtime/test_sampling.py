"""The next token is chosen as the settings say, whatever the other rows are."""

import numpy as np
import pytest

from gpt2forge.runtime.sampling import GREEDY, Sampling, choose_tokens

LOGITS = np.array([0.1, 2.0, -1.0, 1.9, 0.5], np.float32)


def draw(sampling: Sampling, count: int, seed: int = 1) -> list[int]:
    generator = np.random.default_rng(seed)
    return [int(choose_tokens(LOGITS[None], sampling, [generator])[0]) for _ in range(count)]


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
    assert together.tolist() == alone
