"""All numbers of several results: a row for each quantity, a column for each result."""

from collections.abc import Callable, Iterator, Mapping

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.measurements import Accuracy, Interval, Speed
from gpt2forge.builder.report import Report
from gpt2forge.cli.summary import NOTHING, describe_size
from gpt2forge.units import format_size

Format = Callable[[Report], str]
"""Returns a cell of the table; NOTHING if the report lacks the number."""


def tabulate_all(comparison: Comparison) -> Iterator[list[str]]:
    """Yield the titles, a row for each quantity that any result has, then one for each key that differs."""
    first, *rest = comparison.names
    yield ["", f"{first} (baseline)", *rest]
    for name, form in ROWS.items():
        cells = [form(report) for report in comparison.reports]
        if any(cell != NOTHING for cell in cells):
            yield [name, *cells]
    if comparison.front_quantities:
        front = ["yes" if is_on else "no" for is_on in comparison.front]
        yield [f"on the Pareto front ({', '.join(comparison.front_quantities)})", *front]
    if len(comparison.hosts) > 1:
        yield ["host", *(format_host(report) for report in comparison.reports)]
    for key, values in comparison.differences.items():
        yield [f"`{key}`", *(NOTHING if value is None else str(value) for value in values)]


def format_host(report: Report) -> str:
    return report.benchmark.host.processor if report.benchmark else NOTHING


def format_package(report: Report) -> str:
    return describe_size(report.bytes) if report.bytes else NOTHING


def of_speed(form: Callable[[Speed], str]) -> Format:
    """Return a cell of `benchmark`."""
    return lambda report: form(report.benchmark) if report.benchmark else NOTHING


def of_accuracy(form: Callable[[Accuracy], str]) -> Format:
    """Return a cell of `verify`."""
    return lambda report: form(report.verify) if report.verify else NOTHING


def format_memory(speed: Speed) -> str:
    return f"{format_size(speed.peak_memory_bytes)} + {format_size(speed.mapped_memory_bytes)}"


def format_time(ours: float, spread: Interval, theirs: float) -> str:
    """Return milliseconds, their range in all rounds, and the share of PyTorch's in the same run."""
    least, largest = spread
    return f"{ours:.2f} ms [{least:.2f}..{largest:.2f}], {ours / theirs:.1%} of PyTorch"


def format_prompt(speed: Speed) -> str:
    return format_time(speed.prefill_ms, speed.spread.prefill_ms, speed.prefill_ms_reference)


def format_token(speed: Speed) -> str:
    return format_time(speed.token_ms, speed.spread.token_ms, speed.token_ms_reference)


ROWS: Mapping[str, Format] = {
    "size": format_package,
    "loads in": of_speed(lambda speed: f"{speed.load_s:.2f} s"),
    "memory, anonymous + mapped": of_speed(format_memory),
    "prompt": of_speed(format_prompt),
    "new token": of_speed(format_token),
    "perplexity, beside PyTorch": of_accuracy(
        lambda accuracy: f"{accuracy.perplexity:.2f}, {accuracy.perplexity_increase:+.3%}"
    ),
    "KL divergence": of_accuracy(lambda accuracy: f"{accuracy.kl_mean:.2e}"),
    "KL divergence, 99 %": of_accuracy(lambda accuracy: f"{accuracy.kl_p99:.2e}"),
    "same likeliest token": of_accuracy(lambda accuracy: f"{accuracy.top1_agreement:.2%}"),
}
