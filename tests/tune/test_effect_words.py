"""Differences in words."""

import pytest

from gpt2forge.tune.effect import Difference, Effect
from gpt2forge.tune.effect_words import describe_effect, format_divergence, format_share


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (Difference(-0.12, (-0.12, -0.12)), "-12.0%"),
        (Difference(-0.12, (-0.15, -0.09)), "-12.0% [-15.0%, -9.0%]"),
        (Difference(-0.12, (-0.25, 0.01)), "noise [-25.0%, +1.0%]"),
        (None, "-"),
    ],
)
def test_a_change_that_may_be_none_is_noise(difference: Difference | None, words: str) -> None:
    assert format_share(difference) == words


def test_divergences_are_in_nats() -> None:
    assert format_divergence(Difference(-0.0042, (-0.005, -0.003))) == "-4.2e-03 [-5.0e-03, -3.0e-03]"


def test_only_what_was_measured_is_said() -> None:
    effect = Effect("tuned", Difference(-0.5, (-0.5, -0.5)), None, Difference(0.1, (-0.1, 0.3)), None)
    assert describe_effect(effect) == "size -50.0%, a prompt noise [-10.0%, +30.0%]"
