"""Assembles the page of a comparison. Sections without data are left out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.measurements import Host
from gpt2forge.builder.operator_times import PhaseTimes
from gpt2forge.cli.page.answers import Answers, show_answers
from gpt2forge.cli.page.charts import draw_charts
from gpt2forge.cli.page.effect_charts import show_effects
from gpt2forge.cli.page.heat_map import draw_heat_maps
from gpt2forge.cli.page.markup import cell, element, make_table, text
from gpt2forge.cli.page.overview import show_overview
from gpt2forge.cli.page.style import STYLE
from gpt2forge.cli.page.time_tables import show_times
from gpt2forge.cli.summary import NOTHING
from gpt2forge.tune.effect import Effect

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The browser loads nothing and runs nothing, whatever a report may hold."""


@dataclass(frozen=True)
class PageData:
    """The data of a page: the reports; by result, its stored weights and times by operator; and answers to prompts.

    `effects`: what each choice of the baseline buys, if the other results are the baseline without one choice each.
    """

    comparison: Comparison
    tensors: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    times: Mapping[str, Sequence[PhaseTimes]] = field(default_factory=dict)
    prompts: Sequence[str] = ()
    answers: Answers = field(default_factory=dict)
    effects: Sequence[Effect] = ()


def make_page(data: PageData) -> str:
    """Return the page as HTML."""
    title = f"Comparison of {len(data.comparison.reports)} results"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", text(title)),
        element("style", STYLE),
    )
    skip = element("a", "to the results", href="#results", class_="skip")
    main = element("main", element("h1", text(title)), *list_sections(data))
    return "<!doctype html>\n" + element("html", head, element("body", skip, main), lang="en") + "\n"


def list_sections(data: PageData) -> Iterator[str]:
    """Yield the sections that have data."""
    comparison = data.comparison
    yield element("p", text(capitalize(comparison.recommendation) + "."), class_="lead")
    yield show_remarks(comparison.remarks)
    yield make_section("What each choice buys", show_effects(data.effects), note=EFFECT_NOTE)
    yield make_section("Results", show_overview(comparison), id="results")
    yield make_section("Size against speed and divergence", draw_charts(comparison))
    yield make_section("Error by layer and tensor", draw_heat_maps(data.tensors), note=ERROR_NOTE)
    yield make_section("Time by operator", show_times(data.times), note=TIME_NOTE)
    yield make_section("Answers", show_answers(data.prompts, data.answers), note=ANSWER_NOTE)
    yield make_section("Differences of the recipes", show_differences(comparison))
    yield make_section("Machines", show_machines(comparison))


EFFECT_NOTE = (
    "The baseline beside the same recipe without one choice. Left of the line, the choice makes the number smaller. "
    "The interval of a hollow dot holds no change: it is noise."
)
ERROR_NOTE = "The length of the difference between a stored matrix and the float32 one, as a share of its length."
TIME_NOTE = "Medians on the machine that wrote this page. Timing each operator makes a run somewhat slower."
ANSWER_NOTE = "Always the likeliest token. Marked tokens are not in the baseline's answer at that place."


def capitalize(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def make_section(title: str, content: str, note: str = "", id: str | None = None) -> str:
    """Return a section with a heading; nothing if it has no content."""
    lead = element("p", text(note), class_="quiet") if note else ""
    return element("section", element("h2", text(title)), lead, content, id=id) if content else ""


def show_remarks(remarks: Sequence[str]) -> str:
    """Return what makes numbers doubtful."""
    return element("ul", *(element("li", text(remark)) for remark in remarks)) if remarks else ""


def show_differences(comparison: Comparison) -> str:
    """Return the keys in which the recipes differ, with the value of each."""
    titles = ["key", *(text(f"{number} {name}") for number, name in enumerate(comparison.names, 1))]
    rows = [
        [element("code", text(key)), *(cell(format_json(value)) for value in values)]
        for key, values in comparison.differences.items()
    ]
    return make_table("Keys that differ, with their values", titles, rows) if rows else ""


def format_json(value: Any) -> str:
    return NOTHING if value is None else value if isinstance(value, str) else json.dumps(value)


def show_machines(comparison: Comparison) -> str:
    """Return each machine that measured, with what it measured."""
    measured: list[tuple[Host, list[str]]] = []
    for name, report in zip(comparison.names, comparison.reports, strict=True):
        for what, part in (("speed", report.benchmark), ("accuracy", report.verify)):
            if part is not None:
                add_use(measured, part.host, f"{what} of {name}")
    return "".join(show_machine(host, uses) for host, uses in measured)


def add_use(measured: list[tuple[Host, list[str]]], host: Host, use: str) -> None:
    """Add what a machine measured to its list, or begin one."""
    uses = next((uses for known, uses in measured if known == host), None)
    if uses is None:
        measured.append((host, [use]))
    else:
        uses.append(use)


def show_machine(host: Host, uses: Sequence[str]) -> str:
    """Return a machine with what it measured."""
    facts = {
        "processor": host.processor,
        "threads": host.threads,
        "system": host.system,
        "instructions": " ".join(host.instructions),
        "measured": ", ".join(uses),
    }
    return element("dl", *(element("dt", text(name)) + element("dd", text(value)) for name, value in facts.items()))
