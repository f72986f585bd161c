"""The figures that pages quote are those of docs/benchmarks/results.json. The words around them are free."""

import re
from pathlib import Path

import pytest

from bench.document import read_results
from bench.figures import FIGURE, PAGES, TABLE, fill_page, list_figures, list_names, list_tables, write_pages
from bench.misses import REASONS, UNKNOWN, explain
from tests.workshop import ROOT

RESULTS = read_results()
FIGURES, TABLES = list_figures(RESULTS), list_tables(RESULTS)
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIX = "run `make docs`, which writes the measured figures"
COMMENT = re.compile(r"<!--(?:[\w-]+\.[\w-]+| measured: \w+ )-->")
NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?:e[+-]\d+)?")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_quoted_figures_are_measured(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    quoted = [(match["name"], match["shown"]) for match in FIGURE.finditer(text)]
    assert quoted == [(name, FIGURES.get(name)) for name, _ in quoted], FIX
    tables = [(match["name"], match["shown"].splitlines()) for match in TABLE.finditer(text)]
    assert tables == [(name, TABLES[name].splitlines()) for name, _ in tables], FIX


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]), ids=lambda page: page.name)
def test_every_comment_that_names_a_figure_stands_behind_one(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    assert len(COMMENT.findall(text)) == (len(list_names(text)) if page in PAGES else 0)


def test_every_figure_is_quoted() -> None:
    names = {name for page in PAGES for name in list_names(page.read_text(encoding="utf-8"))}
    assert names == {*FIGURES, *TABLES}


def test_summary_in_the_readme_has_the_measured_numbers() -> None:
    """A block of code takes no comments, so its numbers are compared as a set."""
    verify = RESULTS["fidelity"]["int8 blocks of 128"]
    block = next(block for block in re.split(r"\n\n(?=\S)", README) if "    perplexity " in block)
    measured = [
        *(f"{verify[name]:.2f}" for name in ("perplexity", "perplexity_reference")),
        *(f"{value:+.3%}" for value in (verify["perplexity_increase"], *verify["intervals"]["perplexity_increase"])),
        *(f"{value:.2e}" for value in (verify["kl_mean"], *verify["intervals"]["kl_mean"], verify["kl_p99"])),
        *(f"{value:.2%}" for value in (verify["top1_agreement"], *verify["intervals"]["top1_agreement"])),
        *(str(verify[name]) for name in ("positions", "window")),
    ]
    shown = NUMBER.findall(block)
    assert [number for number in measured if number.rstrip("%") not in shown] == []


def test_every_missed_goal_has_a_reason() -> None:
    assert [goal["what"] for goal in RESULTS["goals"] if explain(goal) == UNKNOWN] == []


def test_every_reason_is_about_a_goal_that_there_is() -> None:
    named = [f"{goal['what']} {goal['unit']}" for goal in RESULTS["goals"]]
    assert [pattern for pattern in REASONS if not any(re.fullmatch(pattern, each) for each in named)] == []


def test_another_sentence_around_a_figure_changes_nothing() -> None:
    figure = f"{FIGURES['idle.doit']}<!--idle.doit-->"
    for sentence in (f"doit takes {figure} ms.", f"In {figure} ms, doit finds that nothing is to do."):
        assert fill_page(sentence, RESULTS) == sentence


def test_wrong_figure_is_found_and_written_anew(tmp_path: Path) -> None:
    page, table = tmp_path / "page.md", TABLES["speed"]
    right = f"doit: {FIGURES['idle.doit']}<!--idle.doit--> ms\n\n<!-- measured: speed -->\n\n{table}\n\n<!-- end -->\n"
    page.write_text(right.replace(FIGURES["idle.doit"], "1.5").replace("807", "708"))
    assert list(write_pages(RESULTS, (page,))) == [f"page.md: idle.doit 1.5 -> {FIGURES['idle.doit']}"]
    assert page.read_text() == right
    assert list(write_pages(RESULTS, (page,))) == []


def test_unknown_figure_is_refused() -> None:
    with pytest.raises(KeyError, match=r"idle\.make"):
        fill_page("75<!--idle.make--> ms", RESULTS)
