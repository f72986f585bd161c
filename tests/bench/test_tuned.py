"""The page of what tuning found, and the uniform schemes that mixes are compared with."""

from pathlib import Path
from typing import Any

import pytest

from bench.tuned import ROUNDINGS, Bench, list_uniform
from bench.tuning_page import PAGE, PART, fill_page, list_front, tabulate_tuned
from gpt2forge.quantize.forms import Form
from gpt2forge.recipe.load import load_recipe
from gpt2forge.store.store import Store
from tests.workshop import ROOT

NOISE = {"value": 0.0, "interval": [-1e-4, 1e-4], "is_noise": True}
LESS = {"value": -1e-3, "interval": [-2e-3, -1e-4], "is_noise": False}
RESULTS: dict[str, Any] = {
    "selector": "nano-cpu@fitted",
    "recipe": {"bytes": 1000, "kl": 0.01},
    "uniform": {"fitted": {"int4-32": {"bytes": 900, "kl": 0.02}}},
    "tuned": {
        "recipe": {"bytes": {"bytes": 990, "kl": 0.0099, "difference": NOISE}, "kl": None},
        "int4-32": {
            "bytes": {"bytes": 890, "kl": 0.015, "difference": LESS},
            "kl": {"bytes": 855, "kl": 0.0199, "difference": NOISE},
        },
    },
}


def test_tables_of_the_page_are_those_of_the_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert fill_page(text) == text, "run `python -m bench.tuning_page`"
    assert PART.search(text)


def test_rows_say_how_much_better_a_mix_is_and_what_is_noise() -> None:
    _, recipe, uniform = tabulate_tuned(RESULTS)
    assert recipe == ("`nano-cpu@fitted`", "1,000", "1.00e-02", "9.90e-03 (-1%, noise)", "990 (-1.0%)")
    assert uniform == ("int4-32, fitted", "900", "2.00e-02", "1.50e-02 (-25%)", "855 (-5.0%)")


def test_a_mix_that_was_tuned_against_another_scheme_counts() -> None:
    _, _, uniform = tabulate_tuned({**RESULTS, "tuned": {"recipe": RESULTS["tuned"]["int4-32"], "int4-32": {}}})
    assert uniform[3:] == ("1.50e-02 (-25%)", "855 (-5.0%)")


def test_points_that_another_one_surpasses_are_not_on_the_front() -> None:
    points = [{"bytes": size, "kl": kl} for size, kl in ((3, 1.0), (1, 3.0), (2, 3.5), (2, 2.0), (4, 1.0))]
    assert [point["bytes"] for point in list_front(points)] == [1, 2, 3]


@pytest.mark.parametrize("form", list_uniform(128), ids=lambda form: form.name)
def test_every_uniform_scheme_is_a_valid_recipe(form: Form) -> None:
    bench = Bench(load_recipe(str(ROOT / "recipes/nano-cpu.yaml@fitted")), Store(Path("cache"), is_read_only=True))
    for rounding in ROUNDINGS:
        section = bench.make_scheme(form, rounding).recipe.quantization
        assert (section.scheme, section.granularity) == (f"int{form.bits}", form.granularity)
        assert (section.positions, section.method) == ("float16", "gptq" if rounding == "fitted" else "nearest")
