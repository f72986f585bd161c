"""Guesses grow while they are right, and wrong ones cost little."""

import pytest

from gpt2forge.runtime.guess_length import COST, FREE, MISSES, MOST, PASS, PAUSE, SHARE, GuessLength


def test_right_guesses_grow_to_the_most() -> None:
    length, found = GuessLength(), []
    for _ in range(4):
        found.append(length.allowed)
        length.count_guess(length.allowed, length.allowed)
    assert found == [2, 4, 8, MOST]


@pytest.mark.parametrize("repeated", [0, 1])
def test_wrong_guesses_lose_no_more_than_their_share(repeated: int) -> None:
    length, lost, tokens = GuessLength(), 0.0, 2000
    for _ in range(tokens):
        length.count_token()
        if guessed := length.allowed:
            length.count_guess(guessed, 0)
            length.count_repeated(repeated)
            lost += PASS + guessed * COST + repeated
    assert 0.5 * SHARE * tokens < lost <= FREE + SHARE * tokens + repeated


def test_guess_that_is_partly_right_is_followed_by_as_long_a_one() -> None:
    length = GuessLength()
    for right in (2, 4, 3):
        length.count_guess(length.allowed, right)
    assert length.allowed == 3


def test_text_without_guesses_is_looked_at_less_often() -> None:
    length, looked = GuessLength(), 0
    for _ in range(MISSES + 10 * PAUSE):
        if length.allowed:
            looked += 1
            length.count_miss()
        length.count_token()
    assert looked == MISSES + 10
    while length.pause:
        length.count_token()
    length.count_guess(1, 1)
    assert length.allowed == 2
