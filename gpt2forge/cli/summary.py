"""What a result is worth, in words: what it costs in accuracy, and what it gains in time and memory."""

from collections.abc import Iterator, Mapping
from typing import Any

from gpt2forge.units import format_size

Row = tuple[str, str]


def describe_size(report: Mapping[str, Any]) -> str:
    """The whole directory, and beside 4 bytes a parameter."""
    package, whole = report["bytes"]["package"], report["bytes"]["float32"]
    return f"{format_size(package)}, {package / whole:.1%} of float32"


def describe_fidelity(report: Mapping[str, Any]) -> Iterator[Row]:
    """Beside PyTorch in float32."""
    verify = report["verify"]
    if not verify:
        return
    intervals = verify["intervals"] or {}
    yield (
        "perplexity",
        f"{verify['perplexity']:.2f}, PyTorch float32 {verify['perplexity_reference']:.2f}: "
        f"{verify['perplexity_increase']:+.3%}{say_interval(intervals.get('perplexity_increase'), '+.3%')}",
    )
    yield (
        "divergence",
        f"KL {verify['kl_mean']:.2e}{say_interval(intervals.get('kl_mean'), '.2e')}, 99 % below {verify['kl_p99']:.2e}",
    )
    yield (
        "same token",
        f"{verify['top1_agreement']:.2%}{say_interval(intervals.get('top1_agreement'), '.2%')} of "
        f"{verify['positions']} positions, windows of {verify['window']}",
    )
    worst = ", ".join(
        f"{name} {'-' if value is None else f'{value:.1e}'}" for name, value in sorted(verify["properties"].items())
    )
    yield ("properties", worst)


def describe_speed(report: Mapping[str, Any]) -> Iterator[Row]:
    """Beside PyTorch in the same run."""
    benchmark = report["benchmark"]
    if not benchmark:
        return
    for name, title in (("token_ms", "new token"), ("prefill_ms", "prompt")):
        ours, theirs = benchmark[name], benchmark[f"{name}_reference"]
        spread = "..".join(f"{edge:.2f}" for edge in benchmark["spread"][name])
        yield (title, f"{ours:.2f} ms [{spread}], {ours / theirs:.1%} of PyTorch float32 ({theirs:.2f} ms)")
    yield (
        "limit",
        f"{benchmark['bandwidth_limit_ms']:.2f} ms a token at {benchmark['bandwidth_gb_s']:.0f} GB/s: "
        f"{benchmark['bandwidth_limit_share']:.0%} reached",
    )
    memory = f"{format_size(benchmark['peak_memory_bytes'])} anonymous"
    yield (
        "memory",
        f"{memory}, {format_size(benchmark['mapped_memory_bytes'])} mapped; loads in {benchmark['load_s']:.2f} s",
    )
    for sentence in benchmark["noise"]:
        yield ("noise", f"{sentence}: measure again with `--rerun benchmark`")


def describe_unmeasured(report: Mapping[str, Any]) -> Iterator[Row]:
    """What the recipe does not ask for, and somebody may miss."""
    for section, what in (("verify", "accuracy"), ("benchmark", "speed")):
        if report["values"][section] is None:
            yield (what, f"not measured: the recipe has no `{section}` section")


def say_interval(edges: list[float] | None, form: str) -> str:
    return f" [{edges[0]:{form}}, {edges[1]:{form}}]" if edges else ""
