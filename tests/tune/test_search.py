"""The search, on a model whose divergence is not the sum of those of its weights."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from gpt2forge.builder.report import Report
from gpt2forge.tune.choice import Choice, Option, name_choice, total_bytes, total_kl
from gpt2forge.tune.search import Search
from gpt2forge.tune.tuning_limits import TuningLimits
from tests.reports import make_report

REST = 1234  # bytes beside the weights
FORMS = (("8x64", 1e-4, 1000), ("4x32", 2e-3, 560), ("4x128", 4e-3, 510), ("float32", 0.0, 4000))


def make_options(weights: int = 12) -> list[Option]:
    random = np.random.default_rng(0)
    return [
        Option(f"h.{number}", form, kl=kl * float(factor), bytes=size, cost=size)
        for number, factor in enumerate(random.lognormal(0, 1, weights))
        for form, kl, size in FORMS
    ]


def measure(choice: Choice) -> Report:
    """Return a report in which errors amplify each other: the whole is half as much again as the sum."""
    kl = 1.5 * total_kl(choice) + 0.5 * total_kl(choice) ** 2
    return make_report(
        bytes__package=total_bytes(choice) + REST, verify__kl_mean=kl, verify__perplexity_increase=kl / 2
    )


def test_result_is_within_the_limit_and_little_is_left() -> None:
    search = Search(make_options(), "cost", TuningLimits(kl=0.01), measure)
    best = search.run()
    assert best is not None
    assert 0.008 < best.kl <= 0.01
    assert best.size == min(each.size for each in search.tried if each.kl <= 0.01)


def test_a_limit_on_perplexity_alone_is_kept() -> None:
    best = Search(make_options(), "cost", TuningLimits(increase=0.005), measure).run()
    assert best is not None and best.report.verify
    assert 0.004 < best.report.verify.perplexity_increase <= 0.005


def test_the_stricter_of_two_limits_decides() -> None:
    best = Search(make_options(), "cost", TuningLimits(kl=0.01, increase=0.003), measure).run()
    assert best is not None and best.report.verify
    assert 0.002 < best.report.verify.perplexity_increase <= 0.003


def test_perplexity_that_rises_by_chance_does_not_forbid_what_the_limits_allow() -> None:
    def measure_with_chance(choice: Choice) -> Report:
        kl = measure(choice).verify
        assert kl is not None
        return make_report(
            bytes__package=total_bytes(choice) + REST,
            verify__kl_mean=kl.kl_mean,
            verify__perplexity_increase=0.003,  # at any divergence
        )

    search = Search(make_options(), "kl", TuningLimits(kl=0.03, increase=0.01, size=9000), measure_with_chance)
    assert search.run() is not None


def test_bytes_beside_the_weights_count_for_the_limit_of_size() -> None:
    best = Search(make_options(), "kl", TuningLimits(size=9000), measure).run()
    assert best is not None
    assert 8800 < best.size <= 9000


def test_recipe_to_start_from_is_never_lost() -> None:
    options = make_options()
    first = {option.weight: option for option in options if option.form == "8x64"}

    def measure_lucky(choice: Choice) -> Report:
        return make_report(
            bytes__package=total_bytes(choice) + REST, verify__kl_mean=1e-9 if choice == first else total_kl(choice)
        )

    search = Search(options, "kl", TuningLimits(size=total_bytes(first) + REST), measure_lucky, first)
    best = search.run()
    assert best and best.choice == first
    assert len({name_choice(each.choice) for each in search.tried}) == len(search.tried) > 1


def test_limits_that_cannot_be_kept_have_no_result() -> None:
    assert Search(make_options(), "cost", TuningLimits(kl=0.001, size=REST + 100), measure).run() is None


def test_a_result_that_exceeds_a_limit_elsewhere_makes_the_next_search_stricter() -> None:
    search = Search(make_options(), "cost", TuningLimits(kl=0.01), measure)
    first = search.run()
    search.adjust(1.25)
    second = search.run()
    assert first and second
    assert second.kl <= 0.01 / 1.25 < first.kl
