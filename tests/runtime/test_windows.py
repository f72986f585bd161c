"""How a text is cut."""

from gpt2forge.runtime.text import cut_windows


def test_windows_follow_each_other_and_the_last_may_be_shorter() -> None:
    assert cut_windows(range(8), 3, 100) == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_a_single_token_at_the_end_predicts_nothing_and_is_left_out() -> None:
    assert cut_windows(range(7), 3, 100) == [[0, 1, 2], [3, 4, 5]]
    assert cut_windows([5], 3, 100) == []


def test_no_more_tokens_are_used_than_asked_for() -> None:
    assert cut_windows(range(100), 4, 6) == [[0, 1, 2, 3], [4, 5]]
