"""A report in words: the verdict, the speed and the size first, then the numbers behind them."""

from collections.abc import Collection, Iterator, Sequence

from gpt2forge.builder.measurements import Accuracy, Interval, PackageSize, Speed
from gpt2forge.builder.report import Report
from gpt2forge.builder.verdict import WORDS, explain_unmeasured, find_verdict
from gpt2forge.stamp import TITLES
from gpt2forge.terminal_text import align
from gpt2forge.units import format_size

Row = tuple[str, str]

NOTHING = "-"
"""The cell of a number that was not measured."""


def describe_result(report: Report) -> str:
    """Describe a published result: three lines that answer most questions, and below them the numbers behind these."""
    heads, details = list(describe_heads(report)), list(describe_numbers(report))
    lines = align([*heads, *details]).splitlines()
    below = ["", *lines[len(heads) :]] if details else []
    return "".join(f"{line}\n" for line in (report.output or report.recipe, *lines[: len(heads)], *below))


def describe_heads(report: Report) -> Iterator[Row]:
    """Yield the verdict, the speed and the size."""
    yield ("quality", str(find_verdict(report)))
    yield ("speed", describe_speedup(report))
    if report.bytes:
        yield ("size", describe_size(report.bytes))


def describe_speedup(report: Report) -> str:
    """Return how many times as fast as PyTorch a result is, and its tokens per second."""
    if report.benchmark is None:
        reason = explain_unmeasured(report, "benchmark")
        return f"not measured: {reason}" if reason else "not measured"
    speed = report.benchmark
    ratio, rate = format_ratio(speed.speedup), format_rate(speed.tokens_per_second)
    return f"{ratio} as fast as PyTorch, {rate} tokens/s"


def tabulate_reports(reports: Sequence[Report], refused: Collection[str] = ()) -> str:
    """Format the table of several recipes, each with its verdict; `refused` are those without a report."""
    unbuilt = [(name, WORDS["failed"], *[NOTHING] * (len(TITLES) - 2)) for name in refused]
    return align([TITLES, *(make_row(report) for report in reports), *unbuilt])


def make_row(report: Report) -> tuple[str, ...]:
    """Return the row of a recipe in the table of several."""
    size, speed, accuracy = report.bytes, report.benchmark, report.verify
    return (
        report.recipe,
        find_verdict(report).words,
        format_brief_size(size.package) if size else NOTHING,
        format_share(size.share) if size else NOTHING,
        format_ratio(speed.speedup) if speed else NOTHING,
        format_rate(speed.tokens_per_second) if speed else NOTHING,
        f"{accuracy.perplexity:.2f}" if accuracy else NOTHING,
        f"{accuracy.kl_mean:.2e}" if accuracy else NOTHING,
    )


def describe_size(size: PackageSize) -> str:
    """Return the size of the package and its share of 4 bytes a parameter."""
    return f"{format_brief_size(size.package)}, {format_share(size.share)} of float32"


def format_brief_size(count: float) -> str:
    """Return bytes with the largest unit that fits, without decimals from 100 of it on, as in `807 MB`."""
    number, unit = format_size(count).split()
    return f"{float(number):.0f} {unit}" if float(number) >= 100 else f"{number} {unit}"


def format_share(share: float) -> str:
    """Return a share in whole percent, as in `26 %`; with a decimal below 10 %."""
    return f"{share * 100:.1f} %" if share < 0.0995 else f"{share * 100:.0f} %"


def format_ratio(ratio: float) -> str:
    """Return a ratio with two digits, as in `9.4x`, or more in front of the point."""
    return f"{ratio:.2f}x" if ratio < 0.995 else f"{ratio:.1f}x" if ratio < 9.95 else f"{ratio:.0f}x"


def format_rate(rate: float) -> str:
    """Return a rate without decimals; with one if it is below 10."""
    return f"{rate:.1f}" if rate < 9.95 else f"{rate:.0f}"


def describe_numbers(report: Report) -> Iterator[Row]:
    """Yield a title and a text for each number that was measured."""
    if report.verify:
        yield from describe_accuracy(report.verify)
    if report.benchmark:
        yield from describe_speed(report.benchmark)


def describe_accuracy(verify: Accuracy) -> Iterator[Row]:
    """Yield the accuracy compared with PyTorch in float32."""
    edges = verify.intervals
    increase = format_interval(edges.perplexity_increase if edges else None, "+.3%")
    divergence = format_interval(edges.kl_mean if edges else None, ".2e")
    agreement = format_interval(edges.top1_agreement if edges else None, ".2%")
    yield (
        "perplexity",
        f"{verify.perplexity:.2f}, PyTorch float32 {verify.perplexity_reference:.2f}: "
        f"{verify.perplexity_increase:+.3%}{increase}",
    )
    yield ("divergence", f"KL {verify.kl_mean:.2e}{divergence}, 99 % below {verify.kl_p99:.2e}")
    yield (
        "same token",
        f"{verify.top1_agreement:.2%}{agreement} of {verify.positions} positions, windows of {verify.window}",
    )
    yield ("properties", ", ".join(describe_property(*worst) for worst in sorted(verify.properties)))


def describe_property(name: str, worst: float | None) -> str:
    return f"{name} {NOTHING if worst is None else f'{worst:.1e}'}"


def describe_speed(benchmark: Speed) -> Iterator[Row]:
    """Yield times and memory, compared with PyTorch in the same run, and what disturbed them."""
    spread = benchmark.spread
    yield ("new token", describe_time(benchmark.token_ms, spread.token_ms, benchmark.token_ms_reference))
    yield ("prompt", describe_time(benchmark.prefill_ms, spread.prefill_ms, benchmark.prefill_ms_reference))
    yield (
        "limit",
        f"{benchmark.bandwidth_limit_ms:.2f} ms a token at {benchmark.bandwidth_gb_s:.0f} GB/s: "
        f"{benchmark.bandwidth_limit_share:.0%} reached",
    )
    yield (
        "memory",
        f"{format_size(benchmark.peak_memory_bytes)} anonymous, {format_size(benchmark.mapped_memory_bytes)} mapped; "
        f"loads in {benchmark.load_s:.2f} s",
    )
    if benchmark.noise:
        yield ("noise", f"{'; '.join(benchmark.noise)}: measure again with `--rerun benchmark`")


def describe_time(ours: float, spread: Interval, theirs: float) -> str:
    """Return milliseconds, their range in all rounds, and the share of PyTorch's."""
    edges = "..".join(f"{edge:.2f}" for edge in spread)
    return f"{ours:.2f} ms [{edges}], {ours / theirs:.1%} of PyTorch float32 ({theirs:.2f} ms)"


def format_interval(edges: Interval | None, form: str) -> str:
    return f" [{edges[0]:{form}}, {edges[1]:{form}}]" if edges else ""
