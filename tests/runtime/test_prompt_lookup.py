"""The guess is what followed the last tokens before, the newest time."""

import numpy as np

from gpt2forge.runtime.prompt_lookup import PromptLookup


def guess(text: list[int], most: int, size: int = 2) -> list[int]:
    return PromptLookup(size).guess(np.array(text), most)


def test_guess_is_what_followed_the_last_tokens_the_newest_time() -> None:
    assert guess([1, 2, 3, 4, 5, 6, 7, 9, 1, 2, 3, 4], 3) == [5, 6, 7]
    assert guess([1, 2, 8, 1, 2, 9, 5, 1, 2], 1) == [9]
    assert guess([1, 2, 3, 4, 5, 6, 3, 4, 8, 9, 1, 2, 3, 4], 2, size=4) == [5, 6]


def test_guess_goes_on_with_itself() -> None:
    assert guess([9, 1, 2, 3, 1, 2], 7) == [3, 1, 2, 3, 1, 2, 3]
    assert guess([4, 4, 4], 3) == [4, 4, 4]


def test_text_that_does_not_repeat_has_no_guess() -> None:
    assert guess(list(range(50)), 4) == []
    assert guess([1], 4) == []
    assert guess([3, 1, 2, 3], 4) == []


def test_text_may_grow_between_guesses() -> None:
    lookup, text = PromptLookup(), [3, 1, 4, 1, 5, 9, 3, 1]
    assert lookup.guess(np.array(text), 2) == [4, 1]
    assert lookup.guess(np.array([*text, 4, 1]), 2) == [5, 9]
