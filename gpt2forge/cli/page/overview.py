"""The first table of the page: the numbers of each result, whole in `data-value` and rounded in what is shown."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.measurements import Interval
from gpt2forge.builder.report import Report
from gpt2forge.cli.page.markup import element, make_table, text
from gpt2forge.cli.summary import NOTHING, format_rate, format_ratio, format_share
from gpt2forge.units import format_size


@dataclass(frozen=True)
class Column:
    """A column: its title, the number, and its interval if there is one."""

    title: str
    read: Callable[[Report], float | None]
    form: Callable[[float], str]
    interval: Callable[[Report], Interval | None] = lambda report: None


def read_intervals(name: str) -> Callable[[Report], Interval | None]:
    """Return a function that reads the 95 % interval of an accuracy."""

    def read(report: Report) -> Interval | None:
        intervals = report.verify.intervals if report.verify else None
        return getattr(intervals, name) if intervals else None

    return read


def format_percent(value: float) -> str:
    return f"{value:+.3%}".replace("%", " %")


def format_agreement(value: float) -> str:
    return f"{value:.2%}".replace("%", " %")


def format_milliseconds(value: float) -> str:
    return f"{value:.2f} ms"


COLUMNS: Mapping[str, Column] = {
    "bytes.package": Column("size", lambda each: each.bytes.package if each.bytes else None, format_size),
    "size_share": Column("of float32", lambda each: each.bytes.share if each.bytes else None, format_share),
    "speedup": Column("speed-up", lambda each: each.benchmark.speedup if each.benchmark else None, format_ratio),
    "tokens_per_second": Column(
        "tokens/s", lambda each: each.benchmark.tokens_per_second if each.benchmark else None, format_rate
    ),
    "benchmark.token_ms": Column(
        "a new token",
        lambda each: each.benchmark.token_ms if each.benchmark else None,
        format_milliseconds,
        lambda each: each.benchmark.spread.token_ms if each.benchmark else None,
    ),
    "benchmark.prefill_ms": Column(
        "the prompt",
        lambda each: each.benchmark.prefill_ms if each.benchmark else None,
        format_milliseconds,
        lambda each: each.benchmark.spread.prefill_ms if each.benchmark else None,
    ),
    "benchmark.peak_memory_bytes": Column(
        "memory", lambda each: each.benchmark.peak_memory_bytes if each.benchmark else None, format_size
    ),
    "benchmark.load_s": Column(
        "loads in", lambda each: each.benchmark.load_s if each.benchmark else None, lambda value: f"{value:.2f} s"
    ),
    "verify.perplexity": Column(
        "perplexity",
        lambda each: each.verify.perplexity if each.verify else None,
        lambda value: f"{value:.2f}",
        read_intervals("perplexity"),
    ),
    "verify.perplexity_increase": Column(
        "beside PyTorch",
        lambda each: each.verify.perplexity_increase if each.verify else None,
        format_percent,
        read_intervals("perplexity_increase"),
    ),
    "verify.kl_mean": Column(
        "KL divergence",
        lambda each: each.verify.kl_mean if each.verify else None,
        lambda value: f"{value:.2e}",
        read_intervals("kl_mean"),
    ),
    "verify.top1_agreement": Column(
        "same likeliest token",
        lambda each: each.verify.top1_agreement if each.verify else None,
        format_agreement,
        read_intervals("top1_agreement"),
    ),
}
"""The columns by the place of their number in a report; those without a dot are computed."""


def show_overview(comparison: Comparison) -> str:
    """Return the table of all results, with the columns that any of them has."""
    shown = {
        place: column
        for place, column in COLUMNS.items()
        if any(column.read(report) is not None for report in comparison.reports)
    }
    rows = [
        [text(f"{number} {name}"), show_verdict(comparison, number - 1), *show_numbers(report, shown)]
        for number, (name, report) in enumerate(zip(comparison.names, comparison.reports, strict=True), 1)
    ]
    titles = ["result", "verdict", *(text(column.title) for column in shown.values())]
    return make_table("Results; in brackets the interval of a number", titles, rows)


def show_verdict(comparison: Comparison, place: int) -> str:
    """Return the cell of a verdict, with what it rests on and what dominates the result."""
    verdict, dominators = comparison.verdicts[place], comparison.dominators[place]
    kind = {"within": "good", "beyond": "bad", "failed": "bad"}.get(verdict.kind)
    parts = [element("strong", text(verdict.words), class_=kind)]
    parts += [element("br"), text(verdict.detail)] if verdict.detail else []
    parts += [element("br"), text(f"dominated by {', '.join(dominators)}")] if dominators else []
    return element("td", *parts, class_="verdict")


def show_numbers(report: Report, columns: Mapping[str, Column]) -> Iterator[str]:
    """Yield the cell of each column."""
    for place, column in columns.items():
        value, interval = column.read(report), column.interval(report)
        exact = None if value is None else repr(value)
        shown = [text(NOTHING if value is None else column.form(value))]
        if interval:
            edges = f" [{column.form(interval[0])}, {column.form(interval[1])}]"
            shown.append(element("span", text(edges), class_="interval"))
        yield element("td", *shown, class_="number", data_number=place, data_value=exact)
