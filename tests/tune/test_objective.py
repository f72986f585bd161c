"""Objectives, and costs in milliseconds."""

import pytest

from gpt2forge.recipe.load import load_recipe
from gpt2forge.tune.choice import Option, set_costs
from gpt2forge.tune.objective import OBJECTIVES
from gpt2forge.tune.tuning_sections import FormCostsSection
from tests.workshop import ROOT

START = load_recipe(str(ROOT / "recipes/nano-cpu.yaml@fitted"))


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        *((name, None) for name in ("size", "memory", "accuracy")),
        ("latency", FormCostsSection(rows=1, head_rows=1)),
        ("prefill", FormCostsSection(rows=64, head_rows=1)),
        ("throughput", FormCostsSection(rows=8, head_rows=8)),
    ],
)
def test_an_objective_of_time_says_how_many_rows_are_timed(name: str, rows: FormCostsSection | None) -> None:
    assert OBJECTIVES[name].choose_rows(START) == rows


def test_memory_alone_is_measured_as_bytes() -> None:
    assert [name for name, objective in OBJECTIVES.items() if objective.counts_memory] == ["memory"]


def test_costs_are_those_of_the_kind_and_form() -> None:
    options = [Option(name, "8x64", 0.0, 100, 100.0) for name in ("h.3.mlp.c_fc", "wte", "wpe")]
    costs = {"mlp.c_fc": {"8x64": 0.5}, "wte": {"8x64": 2.0}}
    assert [option.cost for option in set_costs(options, costs)] == [0.5, 2.0, 0.0]
