"""docs/benchmarks.md is made of results.json, and of nothing else."""

import copy
from pathlib import Path
from typing import Any

import pytest

from bench.document import DOCS, PAGE, PLOTS, TUNED, compose_page, read_results, write_document
from bench.plots import draw_plots, name_plots

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return read_results()


@pytest.fixture(scope="module")
def written(results: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page with its results and plots from the committed results; return their folder."""
    docs = tmp_path_factory.mktemp("docs")
    write_document(results, docs)
    return docs


def test_the_page_is_what_its_results_come_to(results: dict[str, Any]) -> None:
    assert (DOCS / PAGE).read_text(encoding="utf-8") == compose_page(results)


def test_every_plot_of_the_page_is_drawn_from_its_results(written: Path) -> None:
    drawn = {path.name: find_words(path.read_text(encoding="utf-8")) for path in (written / PLOTS).glob("*.svg")}
    committed = [path for path in (DOCS / PLOTS).glob("*.svg") if not path.name.startswith(TUNED)]
    assert drawn == {path.name: find_words(path.read_text(encoding="utf-8")) for path in committed}
    assert all(drawn.values())


def find_words(drawing: str) -> list[str]:
    """Return the texts of an SVG, whose positions depend on the fonts of the machine."""
    return [part.partition("</text>")[0].rpartition(">")[2] for part in drawing.split("<text")[1:]]


def test_an_edited_result_is_seen_in_the_page(results: dict[str, Any]) -> None:
    edited = copy.deepcopy(results)
    model = next(iter(edited["peers"]))
    edited["peers"][model]["systems"]["ours, int8 blocks of 128"]["token_ms"]["64"]["median"] *= 2
    assert compose_page(edited) != compose_page(results)


def test_writing_the_page_again_gives_the_same_files(results: dict[str, Any], written: Path) -> None:
    assert read_results(written) == results
    for name in (PAGE, f"{PLOTS}/results.json"):
        assert (written / name).read_text(encoding="utf-8") == (DOCS / name).read_text(encoding="utf-8")


def test_a_system_that_failed_is_listed_with_what_it_said(results: dict[str, Any]) -> None:
    failed = copy.deepcopy(results)
    model = next(iter(failed["peers"]))
    failed["peers"] = {model: failed["peers"][model]}
    failed["scale"] = {}
    failed["peers"][model]["systems"]["llama.cpp Q8_0"] = {"error": "OSError: no such library"}
    for system in failed["peers"][model]["systems"].values():
        system.pop("compiled_for", None)
    page = compose_page(failed)
    assert "| llama.cpp Q8_0 | OSError: no such library |" in page
    assert "compiled for this processor" not in page
    assert draw_plots(failed).keys() == name_plots(failed).keys()


def test_a_library_that_was_compiled_here_says_for_what(results: dict[str, Any]) -> None:
    compiled = copy.deepcopy(results)
    model = next(iter(compiled["peers"]))
    compiled["peers"][model]["systems"]["llama.cpp Q8_0"]["compiled_for"] = "CPU: AVX2, AVX512_VNNI, REPACK"
    assert "| llama.cpp Q8_0 | CPU: AVX2, AVX512_VNNI, REPACK |" in compose_page(compiled)
