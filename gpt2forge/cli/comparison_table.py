"""The table of a comparison: a row for each result with what matters most, in 100 columns."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.report import Report
from gpt2forge.builder.verdict import find_verdict
from gpt2forge.cli.summary import NOTHING, format_brief_size, format_rate, format_ratio, format_share
from gpt2forge.terminal_text import align, escape_line

WIDTH = 100  # columns
MOST_DIFFERENCES = 4  # in a note; `--all` shows all
LONGEST_VALUE = 24  # characters of a value in a note
TITLES = ("result", "size", "speed-up", "perplexity", "KL", "verdict")


def format_table(comparison: Comparison) -> str:
    """Format the rows, each with its note in the line below, and the recommendation."""
    rows = [make_row(*pair) for pair in zip(comparison.names, comparison.reports, strict=True)]
    longest = WIDTH - 2 - max(map(len, align([TITLES[1:], *(row[1:] for row in rows)]).splitlines()))
    names = [escape_line(row[0]) for row in rows]
    above = ["" if len(name) <= longest else name for name in names]
    shown = [("" if line else name, *row[1:]) for name, line, row in zip(names, above, rows, strict=True)]
    titles, *lines = align([TITLES, *shown]).splitlines()
    entries = zip(above, lines, list_notes(comparison), strict=True)
    parts = [part for entry in entries for part in format_entry(*entry)]
    return "\n".join([titles, *parts, "", *wrap(comparison.recommendation, indent="")]) + "\n"


def format_entry(above: str, line: str, note: str) -> Iterator[str]:
    """Yield the lines of a result; a long name is in the line above its row."""
    if above:
        yield above
    yield line
    yield from wrap(note, indent="    ")


def wrap(text: str, indent: str) -> list[str]:
    """Wrap a text at WIDTH; a word that is longer stays whole, because names are copied."""
    return textwrap.wrap(
        escape_line(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def make_row(name: str, report: Report) -> tuple[str, ...]:
    """Return the cells of a result."""
    size, speed, accuracy = report.bytes, report.benchmark, report.verify
    return (
        name,
        f"{format_brief_size(size.package)}, {format_share(size.share)}" if size else NOTHING,
        f"{format_ratio(speed.speedup)}, {format_rate(speed.tokens_per_second)}/s" if speed else NOTHING,
        format_perplexity(accuracy.perplexity) if accuracy else NOTHING,
        f"{accuracy.kl_mean:.2e}" if accuracy else NOTHING,
        find_verdict(report).words,
    )


def format_perplexity(value: float) -> str:
    return f"{value:.2f}" if value < 1e5 else f"{value:.2e}"


def list_notes(comparison: Comparison) -> list[str]:
    """Return for each result what differs from the baseline, what dominates it, and what is beyond a limit."""
    first, *rest = (
        [describe_differences(comparison, place), *describe_place(comparison, place)]
        for place in range(len(comparison.reports))
    )
    notes = [["baseline", *first[1:]], *rest]
    return ["; ".join(part for part in parts if part) for parts in notes]


def describe_place(comparison: Comparison, place: int) -> Iterator[str]:
    """Yield which limits a result exceeds, and which results dominate it."""
    verdict, dominators = comparison.verdicts[place], comparison.dominators[place]
    if not verdict.is_usable:
        yield verdict.detail
    if dominators:
        yield f"dominated by {', '.join(dominators)}"


def describe_differences(comparison: Comparison, place: int) -> str:
    """Describe the values in which a recipe differs from the baseline's."""
    changed = {key: values[place] for key, values in comparison.differences.items() if values[place] != values[0]}
    words = shorten_keys(list(comparison.differences))
    named = [f"{words[key]} {format_value(value)}" for key, value in changed.items()]
    more = [f"{len(named) - MOST_DIFFERENCES} more"] if len(named) > MOST_DIFFERENCES else []
    return ", ".join([*named[:MOST_DIFFERENCES], *more])


def shorten_keys(keys: Sequence[str]) -> dict[str, str]:
    """Return the last part of each key, or the whole key where two have the same last part."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: word if last.count(word) == 1 else key for key, word in zip(keys, last, strict=True)}


def format_value(value: Any) -> str:
    """Format a value in a few characters, as a recipe writes it."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def format_markdown(comparison: Comparison) -> str:
    """Format the rows as a Markdown table, for a pull request; below it are the recommendation and the remarks."""
    notes = zip(comparison.names, comparison.reports, list_notes(comparison), strict=True)
    rows = [[*make_row(name, report), note] for name, report, note in notes]
    lines = format_markdown_rows([[*TITLES, ""], *rows])
    remarks = [f"* {escape_markdown(remark)}" for remark in comparison.remarks]
    return (
        "\n".join([*lines, "", escape_markdown(comparison.recommendation), *(["", *remarks] if remarks else [])]) + "\n"
    )


def format_markdown_rows(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    head, *body = rows
    for row in (head, ["---"] * len(head), *body):
        yield f"| {' | '.join(map(escape_markdown, row))} |"


def escape_markdown(text: str) -> str:
    """Escape what begins a cell, a tag, a link or an image in Markdown; backticks stay, as messages write them."""
    shown = escape_line(text).replace("&", "&amp;").replace("<", "&lt;")
    return shown.replace("|", "\\|").replace("[", "\\[")
