"""What a choice buys, computed from two reports."""

import pytest

from gpt2forge.tune.effect import Difference, Effect, compute_effect, resample
from tests.reports import COMPLETE, make_report

KL = COMPLETE["verify"]["kl_windows"]


def compare(**changes: object) -> Effect:
    """Return the effect of a choice without which the complete report has other values."""
    return compute_effect("a choice", make_report(), make_report(**changes))


def test_size_is_a_share_of_the_size_without_the_choice() -> None:
    assert compare(bytes__package=4 * 1_419_030).size == Difference(-0.75, (-0.75, -0.75))


def test_equal_results_differ_by_noise_alone() -> None:
    effect = compare()
    assert effect.token and effect.prompt and effect.kl
    assert effect.token.is_noise and effect.prompt.is_noise and effect.kl.is_noise
    assert effect.token.interval == pytest.approx((0.9 / 1.1 - 1, 1.1 / 0.9 - 1))


def test_a_clear_difference_of_times_is_not_noise() -> None:
    token = compare(benchmark__token_ms=4.0, benchmark__spread__token_ms=[3.9, 4.1]).token
    assert token and not token.is_noise
    assert token.value == -0.5


def test_a_machine_that_became_slower_is_no_difference() -> None:
    slow = {"benchmark__token_ms": 4.0, "benchmark__spread__token_ms": [3.9, 4.1]}
    token = compare(**slow, benchmark__token_ms_reference=10.0).token  # PyTorch took twice as long too
    assert token and token.is_noise


def test_windows_are_compared_one_by_one() -> None:
    kl = compare(verify__kl_windows=[value + 0.001 for value in KL], verify__kl_mean=0.0164).kl
    assert kl and not kl.is_noise  # though the interval of each alone is many times as wide
    assert kl.value == pytest.approx(-0.001)


def test_a_difference_that_changes_its_sign_from_window_to_window_is_noise() -> None:
    kl = compare(verify__kl_windows=[value + (-1) ** place * 0.001 for place, value in enumerate(KL)]).kl
    assert kl and kl.is_noise


def test_divergences_on_other_texts_are_not_compared() -> None:
    assert compare(verify__text_digest="d" * 64).kl is None


def test_a_result_that_failed_has_no_numbers() -> None:
    effect = compare(error="too large\nfor this machine")
    assert (effect.size, effect.refusal) == (None, "too large")


def test_weights_of_windows_count() -> None:
    low, high = resample([*[1.0] * 20, 5.0], [*[100] * 20, 1])
    assert 1 <= low < high < 1.01
