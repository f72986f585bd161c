"""The numbers of a report in words: the accuracy that the package loses, and the time and memory that it gains."""

from collections.abc import Iterator

from gpt2forge.builder.measurements import Accuracy, Interval, PackageSize, Speed
from gpt2forge.builder.report import Report
from gpt2forge.units import format_size

Row = tuple[str, str]


def describe_numbers(report: Report) -> Iterator[Row]:
    """Yield a title and a text for each number, and for each measurement that the recipe does not ask for."""
    if report.verify:
        yield from describe_accuracy(report.verify)
    if report.benchmark:
        yield from describe_speed(report.benchmark)
    yield from describe_unmeasured(report)


def describe_size(size: PackageSize) -> str:
    """Return the size of the package and its share of 4 bytes a parameter."""
    return f"{format_size(size.package)}, {size.package / size.float32:.1%} of float32"


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
    return f"{name} {'-' if worst is None else f'{worst:.1e}'}"


def describe_speed(benchmark: Speed) -> Iterator[Row]:
    """Yield times and memory, compared with PyTorch in the same run."""
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
    for sentence in benchmark.noise:
        yield ("noise", f"{sentence}: measure again with `--rerun benchmark`")


def describe_time(ours: float, spread: Interval, theirs: float) -> str:
    """Return milliseconds, their range in all rounds, and the share of PyTorch's."""
    edges = "..".join(f"{edge:.2f}" for edge in spread)
    return f"{ours:.2f} ms [{edges}], {ours / theirs:.1%} of PyTorch float32 ({theirs:.2f} ms)"


def describe_unmeasured(report: Report) -> Iterator[Row]:
    """Yield the measurements that the recipe does not ask for, which a user may miss."""
    for section, what in (("verify", "accuracy"), ("benchmark", "speed")):
        if report.values.get(section) is None:
            yield (what, f"not measured: the recipe has no `{section}` section")


def format_interval(edges: Interval | None, form: str) -> str:
    return f" [{edges[0]:{form}}, {edges[1]:{form}}]" if edges else ""
