"""docs/benchmarks.md is made of results.json, and of nothing else."""

import copy
from pathlib import Path
from typing import Any

import pytest

from bench.document import DOCS, PAGE, PLOTS, compose_page, read_results, write_document
from bench.plots import draw_plots, name_plots


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return read_results()


def test_the_page_is_what_its_results_come_to(results: dict[str, Any]) -> None:
    assert (DOCS / PAGE).read_text(encoding="utf-8") == compose_page(results)


def test_every_plot_of_the_page_is_drawn_from_its_results(results: dict[str, Any]) -> None:
    drawn = draw_plots(results)
    assert sorted(f"{name}.svg" for name in drawn) == sorted(path.name for path in (DOCS / PLOTS).glob("*.svg"))
    for name, drawing in drawn.items():
        assert find_words(drawing) == find_words((DOCS / PLOTS / f"{name}.svg").read_text(encoding="utf-8"))


def find_words(drawing: str) -> list[str]:
    """The texts of an SVG: where they stand depends on the fonts that a machine has."""
    return [part.partition("</text>")[0].rpartition(">")[2] for part in drawing.split("<text")[1:]]


def test_an_edited_result_is_seen_in_the_page(results: dict[str, Any]) -> None:
    edited = copy.deepcopy(results)
    model = next(iter(edited["peers"]))
    edited["peers"][model]["systems"]["ours, int8 blocks of 128"]["token_ms"]["64"]["median"] *= 2
    assert compose_page(edited) != compose_page(results)


def test_writing_the_page_again_gives_the_same_files(results: dict[str, Any], tmp_path: Path) -> None:
    write_document(results, tmp_path)
    write_document(read_results(tmp_path), tmp_path)
    assert (tmp_path / PAGE).read_text() == (DOCS / PAGE).read_text()
    assert (tmp_path / PLOTS / "results.json").read_text() == (DOCS / PLOTS / "results.json").read_text()


def test_a_system_that_failed_is_listed_with_what_it_said(results: dict[str, Any]) -> None:
    failed = copy.deepcopy(results)
    model = next(iter(failed["peers"]))
    failed["peers"][model]["systems"]["llama.cpp Q8_0"] = {"error": "OSError: no such library"}
    page = compose_page(failed)
    assert "| llama.cpp Q8_0 | OSError: no such library |" in page
    assert draw_plots(failed).keys() == name_plots(failed).keys()
