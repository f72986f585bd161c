"""docs/recipes.md shows how each scheme stores the example's weights, as `inspect` reports it."""

import json
from typing import Any

import pytest

from tests.workshop import ROOT, Workshop

pytestmark = pytest.mark.slow

RECIPES = ("nano-cpu-fp32", "nano-cuda-float16", "nano-cpu-int8", "nano-vnni-int8", "nano-cpu-int4", "nano-cpu@mixed")
PAGE = (ROOT / "docs/recipes.md").read_text()


def show_cell(kinds: list[dict[str, Any]]) -> str:
    """Return bits a weight with the scales, and the mean error of the layers, for each kind of a name."""
    return ", ".join(f"{kind['bits_per_weight']:.2f} ({kind['error_mean']:.2%})" for kind in kinds).replace(
        "(0.00%)", "(0)"
    )


@pytest.fixture(scope="module")
def rows(workshop: Workshop) -> list[str]:
    workshop.run("build", *RECIPES)
    found = [json.loads(workshop.run("inspect", f"build/{name}", "--json").stdout)["tensors"] for name in RECIPES]
    names = list(dict.fromkeys(kind["name"] for kinds in found for kind in kinds))
    cells = [[show_cell([kind for kind in kinds if kind["name"] == name]) for kinds in found] for name in names]
    return [f"| {' | '.join([name, *row])} |" for name, row in zip(names, cells, strict=True)]


def test_every_scheme_has_its_coverage(rows: list[str]) -> None:
    head = f"| | {' | '.join(f'`{name}`' for name in RECIPES)} |"
    table = "\n".join([head, "|---" * (len(RECIPES) + 1) + "|", *rows])
    assert table in PAGE, table
