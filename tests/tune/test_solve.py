"""The solver against all choices of small problems."""

import sys
from itertools import product

import numpy as np
import pytest

pytest.importorskip("scipy")

from gpt2forge.errors import UserError
from gpt2forge.tune.choice import (
    Choice,
    Option,
    list_options,
    name_choice,
    set_costs,
    total_bytes,
    total_cost,
    total_kl,
)
from gpt2forge.tune.objective import OBJECTIVES
from gpt2forge.tune.problem import Problem
from gpt2forge.tune.solve import solve

FORMS = ("8x64", "4x32", "4x128", "float32")


def make_options(seed: int, weights: int = 5) -> list[Option]:
    random = np.random.default_rng(seed)
    return [
        Option(f"h.{number}.mlp.c_fc", form, kl=float(kl), bytes=size, cost=float(random.integers(1, 100)))
        for number in range(weights)
        for form, kl, size in zip(
            FORMS, random.exponential(1e-3, 4), random.integers(100, 9000, 4).tolist(), strict=True
        )
    ]


def list_choices(options: list[Option]) -> list[Choice]:
    names = dict.fromkeys(option.weight for option in options)
    each = [[option for option in options if option.weight == name] for name in names]
    return [{option.weight: option for option in chosen} for chosen in product(*each)]


@pytest.mark.parametrize("seed", range(5))
def test_choice_is_the_best_of_all_within_the_limits(seed: int) -> None:
    options = make_options(seed)
    every = list_choices(options)
    most_kl, most_bytes = (float(np.quantile([f(c) for c in every], 0.3)) for f in (total_kl, total_bytes))
    allowed = [c for c in every if total_kl(c) <= most_kl and total_bytes(c) <= most_bytes]
    found = solve(options, Problem("cost", most_kl, most_bytes))
    assert found is not None
    assert total_kl(found) <= most_kl * (1 + 1e-6) and total_bytes(found) <= most_bytes
    assert total_cost(found) == min(map(total_cost, allowed))


TIMES = {1: (0.2, 0.3, 0.1, 0.9), 8: (0.4, 0.9, 0.7, 1.1), 64: (0.5, 2.0, 1.9, 1.4)}
"""Milliseconds of each of FORMS by the rows of activations: 4 bits are fast for one row and slow for many."""


@pytest.mark.parametrize("name", OBJECTIVES)
def test_each_objective_is_the_best_within_the_limits(name: str) -> None:
    options, objective = make_options(3), OBJECTIVES[name]
    rows = objective.rows or (64 if objective.reads_prompt else None)
    if rows:
        options = set_costs(options, {"mlp.c_fc": dict(zip(FORMS, TIMES[rows], strict=True))})
    every = list_choices(options)
    most_kl, most_bytes = (float(np.quantile([f(c) for c in every], 0.4)) for f in (total_kl, total_bytes))
    allowed = [c for c in every if total_kl(c) <= most_kl and total_bytes(c) <= most_bytes]
    found = solve(options, Problem(objective.aim, most_kl, most_bytes))
    measure = total_kl if objective.aim == "kl" else total_cost
    assert found is not None
    assert total_kl(found) <= most_kl * (1 + 1e-6) and total_bytes(found) <= most_bytes
    assert measure(found) == pytest.approx(min(map(measure, allowed)), rel=2e-3)


def test_forms_that_are_fast_for_a_token_need_not_be_fast_for_a_prompt() -> None:
    options = make_options(4)
    token, prompt = (
        solve(set_costs(options, {"mlp.c_fc": dict(zip(FORMS, TIMES[rows], strict=True))}), Problem("cost"))
        for rows in (1, 64)
    )
    assert token and {option.form for option in token.values()} == {"4x128"}
    assert prompt and {option.form for option in prompt.values()} == {"8x64"}


def test_excluded_choices_are_followed_by_the_next_best() -> None:
    options = make_options(7, weights=3)
    ranked = sorted(list_choices(options), key=total_kl)
    without: list[Choice] = []
    for expected in ranked[:4]:
        found = solve(options, Problem("kl", without=tuple(without)))
        assert found is not None
        assert name_choice(found) == name_choice(expected)
        without.append(found)


def test_limits_that_nothing_keeps_have_no_choice() -> None:
    assert solve(make_options(1), Problem("cost", most_bytes=10)) is None


def test_a_weight_may_stay_float32_and_chance_is_no_gain() -> None:
    forms = {"8x64": {"kl": -1e-9, "loss": 0.0, "bytes": 1100, "weights": 1024}}
    options = list_options({"wte": forms})
    assert [(option.form, option.kl, option.bytes) for option in options] == [
        ("8x64", 0.0, 1100),
        ("float32", 0.0, 4096),
    ]


def test_without_scipy_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(UserError, match=r"`tune` needs scipy; run `pip install 'gpt2forge\[tune\]'`"):
        solve(make_options(1), Problem("kl"))
