"""docs/report.md has every field of a report, as the fields describe themselves, and the tolerances that apply."""

import re

import pytest

from gpt2forge.builder.limits import EXACT
from gpt2forge.recipe.sections.quantization_section import Quantization
from gpt2forge.recipe.sections.verify_section import Tolerances
from tests.workshop import ROOT
from tools.report_page import PAGE, fill_page, write_report_page

TEXT = (ROOT / PAGE).read_text(encoding="utf-8")
COLUMNS = {
    "float32": [Quantization(scheme="none")],
    "int8, int4 in blocks": [Quantization(scheme="int8"), Quantization(scheme="int4")],
    "int8 per channel": [Quantization(scheme="int8", granularity="channel")],
}


def test_page_is_up_to_date() -> None:
    assert fill_page(TEXT) == TEXT, "run `make docs`"


def test_each_part_has_one_table() -> None:
    titles = [line for line in write_report_page().splitlines() if line.startswith("### ")]
    assert titles[:2] == ["### The report", "### `steps[]`"]
    assert "### `verify.host`, `benchmark.host`" in titles
    assert len(titles) == len(set(titles)) == write_report_page().count("| field | type | meaning |")


def list_cells(line: str) -> list[str]:
    return [cell.strip("` ") for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("column", COLUMNS)
def test_tolerances_of_the_page_are_those_that_apply(column: str) -> None:
    head, _, *rows = (list_cells(line) for line in re.findall(r"^\|.*\|$", TEXT, re.MULTILINE)[:6])
    written = {row[0]: float(row[head.index(column)]) for row in rows}
    assert list(written) == list(Tolerances.model_fields)
    for quantization in COLUMNS[column]:
        assert written == {name: quantization.tolerances.get(name, EXACT) for name in written}
