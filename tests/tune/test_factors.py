"""Factors that mixes suggest, where each weight counts for more or less in a mix than alone."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from gpt2forge.builder.report import Report
from gpt2forge.tune.choice import Choice, Option, total_bytes
from gpt2forge.tune.factors import WIDEST, fit_factors
from gpt2forge.tune.search import Search
from gpt2forge.tune.tuning_limits import TuningLimits
from tests.reports import make_report
from tests.tune.test_search import REST, make_options

WEIGHTS = 12
FACTORS = {
    f"h.{number}": float(factor) for number, factor in enumerate(np.random.default_rng(9).lognormal(0, 0.3, WEIGHTS))
}


def divergence(choice: Choice) -> float:
    return sum(FACTORS[weight] * option.kl for weight, option in choice.items())


def measure(choice: Choice) -> Report:
    return make_report(bytes__package=total_bytes(choice) + REST, verify__kl_mean=divergence(choice))


def draw_mixes(count: int) -> list[tuple[Choice, float]]:
    random, options = np.random.default_rng(1), make_options(WEIGHTS)
    by_weight: dict[str, list[Option]] = {}
    for option in options:
        by_weight.setdefault(option.weight, []).append(option)
    mixes = [{name: each[random.integers(len(each))] for name, each in by_weight.items()} for _ in range(count)]
    return [(mix, divergence(mix)) for mix in mixes]


def test_many_mixes_give_the_factors_themselves() -> None:
    found = fit_factors(draw_mixes(60))
    assert found == pytest.approx(FACTORS, rel=0.05)


def test_one_mix_gives_the_ratio_and_none_gives_nothing() -> None:
    (mix,) = draw_mixes(1)
    ratio = mix[1] / sum(option.kl for option in mix[0].values())
    assert list(fit_factors([mix]).values()) == pytest.approx([ratio] * WEIGHTS)
    assert fit_factors([]) == {}


def test_a_factor_stays_within_its_bounds() -> None:
    mixes = [(choice, measured * (50 if place else 1)) for place, (choice, measured) in enumerate(draw_mixes(3))]
    found = fit_factors(mixes)
    assert max(found.values()) / min(found.values()) <= WIDEST**2


def test_search_comes_nearer_to_the_best_mix_with_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    def search() -> float:
        best = Search(make_options(WEIGHTS), "kl", TuningLimits(size=9500), measure).run()
        assert best is not None
        return best.kl

    monkeypatch.setattr("gpt2forge.tune.search.NEIGHBOURS", 4)
    with_factors = search()
    monkeypatch.setattr("gpt2forge.tune.factors.fit_factors", lambda mixes: {})
    assert with_factors < search()
