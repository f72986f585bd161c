"""docs/report.md has every field of a report, as the fields describe themselves."""

from tests.workshop import ROOT
from tools.report_page import PAGE, fill_page, write_report_page


def test_page_is_up_to_date() -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert fill_page(page) == page, "run `python -m tools.report_page`"


def test_each_part_has_one_table() -> None:
    titles = [line for line in write_report_page().splitlines() if line.startswith("### ")]
    assert titles[:2] == ["### The report", "### `steps[]`"]
    assert "### `verify.host`, `benchmark.host`" in titles
    assert len(titles) == len(set(titles)) == write_report_page().count("| field | type | meaning |")
