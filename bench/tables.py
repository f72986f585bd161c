"""The results as tables for a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.goals import Verdict
from gpt2forge.commands.worth import say_interval

BUSY = 0.8  # load average above which a measurement says so


def show_spread(spread: Mapping[str, float], digits: int = 1) -> str:
    """Median, and from the least to the largest."""
    return f"{spread['median']:.{digits}f} [{spread['least']:.{digits}f}..{spread['largest']:.{digits}f}]"


def make_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table whose first column is words and whose others are numbers."""
    table = Table(title=escape(title), title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=not index)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def tabulate_builds(builds: Mapping[str, Any]) -> Table:
    rows = [
        (
            name,
            show_spread(build["seconds"], 2),
            f"{build['peak_memory_bytes'] / 1e6:.0f}",
            f"{build['peak_memory_bytes_told'] / 1e6:.0f}" if build["steps"] else "",
            "  ".join(f"{stage} {seconds:.2f}" for stage, seconds in build["steps"].items()),
        )
        for name, build in builds.items()
    ]
    columns = ("build", "seconds", "peak MB from outside", "MB in the report", "seconds of each step")
    return make_table("Builds from an empty store, and with nothing to do (RssAnon of the process tree)", columns, rows)


def tabulate_sizes(sizes: Mapping[str, Any]) -> Table:
    rows = [
        (
            name,
            f"{size['model_bytes'] / 1e6:.1f}",
            f"{size['model_share']:.2%}",
            f"{size['package_bytes'] / 1e6:.1f}",
            f"{size['package_share']:.2%}",
        )
        for name, size in sizes.items()
    ]
    columns = ("variant", "model MB", "of float32", "directory MB", "of float32")
    return make_table("Sizes; float32 is 4 bytes a parameter, the directory has the tokenizer too", columns, rows)


def tabulate_speed(speed: Mapping[str, Any], prompt: int) -> Table:
    rows = [
        (
            name,
            show_spread(system["prefill_ms"]),
            f"{system['prefill_ratio']:.3f}",
            show_spread(system["token_ms"]),
            f"{system['token_ratio']:.3f}",
            f"{system['limit_ms']:.1f}",
            f"{system['limit_share']:.0%}",
            f"{system['load_s']:.1f}",
            f"{system['tokens_as_pytorch']}/{speed['tokens']}",
        )
        for name, system in speed["systems"].items()
    ]
    columns = (
        "system",
        f"prefill {prompt}, ms",
        "ratio",
        "token, ms",
        "ratio",
        "limit, ms",
        "reached",
        "load, s",
        "same tokens",
    )
    return make_table(
        "Speed, batch 1: medians of rounds taken in turns [least..largest], ratios to PyTorch", columns, rows
    )


def tabulate_memory(memory: Mapping[str, Any]) -> Table:
    rows = [
        (f"{name}{' (the limit above)' if name == memory['loop'] else ''}", show_spread(loop))
        for name, loop in memory["loops"].items()
    ]
    return make_table("Reading 1 GiB of memory with all cores, between the rounds", ("loop", "GB/s"), rows)


def tabulate_fidelity(fidelity: Mapping[str, Any]) -> Table:
    rows = [
        (
            name,
            f"{found['bytes'] / 1e6:.1f}",
            f"{found['bytes'] / found['float32']:.1%}",
            f"{found['perplexity']:.2f}",
            f"{found['perplexity_increase']:+.3%}{say_interval(found['intervals']['perplexity_increase'], '+.3%')}",
            f"{found['kl_mean']:.2e}",
            f"{found['kl_p99']:.2e}",
            f"{found['top1_agreement']:.2%}",
            *("-" if worst is None else f"{worst:.1e}" for worst in found["properties"].values()),
        )
        for name, found in fidelity.items()
    ]
    first = next(iter(fidelity.values()))
    columns = ("variant", "MB", "of float32", "perplexity", "beside PyTorch [95 %]", "KL", "KL 99 %", "top-1")
    title = (
        f"nano on {first['tokens']} tokens in windows of {first['window']}: PyTorch {first['perplexity_reference']:.2f}"
    )
    return make_table(title, (*columns, *(name.replace("_", " ") for name in first["properties"])), rows)


def tabulate_verdicts(verdicts: Iterable[Verdict]) -> Table:
    rows = [
        (verdict.what, f"{verdict.value:.4f} {verdict.unit}", f"{verdict.goal:g}", "yes" if verdict.reached else "NO")
        for verdict in verdicts
    ]
    return make_table("Goals", ("number", "measured", "at most", "reached"), rows)


def tabulate_idle(idle: Mapping[str, Any]) -> Table:
    ours = idle["gpt2forge build"]["median"]
    rows = [(name, show_spread(spread), f"{spread['median'] / ours:.1f}") for name, spread in idle.items()]
    title = "Nothing to do, whole process, in turns"
    return make_table(title, ("command", "ms", "ratio"), rows)


def tabulate_variants(variants: Mapping[str, Any]) -> Table:
    slowest = max(spread["median"] for spread in variants.values())
    rows = [(name, show_spread(spread), f"{spread['median'] / slowest:.2f}") for name, spread in variants.items()]
    return make_table("Four variants from an empty store, in turns", ("", "s", "ratio"), rows)


def tabulate_peers(peers: Mapping[str, Any], prompt: int) -> Table:
    rows = [
        (name, *[""] * 7, peer["error"])
        if "error" in peer
        else (
            name,
            f"{peer['seconds']:.1f}",
            f"{peer['bytes'] / 1e6:.0f}",
            f"{peer['load_s']:.2f}",
            f"{peer['memory_bytes'] / 1e6:.0f}",
            show_spread(peer["prefill_ms"]),
            show_spread(peer["token_ms"], 2),
            str(peer["tokens_as_pytorch"]),
            "",
        )
        for name, peer in peers.items()
    ]
    columns = (
        "system",
        "build s",
        "MB",
        "load s",
        "MB of memory",
        f"{prompt} tokens ms",
        "a token ms",
        "same",
        "error",
    )
    return make_table("Peers, each in a process of its own", columns, rows)


def print_results(console: Console, results: Mapping[str, Any], verdicts: Sequence[Verdict]) -> None:
    """Print the parts that were measured."""
    host = results["host"]
    versions = ", ".join(f"{tool} {number}" for tool, number in host["versions"].items())
    console.print(
        f"{host['processor']}, {host['threads']} threads, {host['memory_bytes'] / 1e9:.0f} GB; {host['system']}"
    )
    console.print(versions)
    if host["load_before"] > BUSY:
        console.print(
            f"The machine was busy when this began (load {host['load_before']:.1f}): times are not to be trusted."
        )
    if "builds" in results:
        console.print(tabulate_builds(results["builds"]))
    if "sizes" in results:
        console.print(tabulate_sizes(results["sizes"]))
    if "speed" in results:
        console.print(tabulate_speed(results["speed"], results["prompt"]))
        console.print(tabulate_memory(results["speed"]["memory_gb_s"]))
    if "peers" in results:
        console.print(tabulate_peers(results["peers"], results["prompt"]))
    if "fidelity" in results:
        console.print(tabulate_fidelity(results["fidelity"]))
    if "variants" in results:
        console.print(tabulate_variants(results["variants"]))
    if "idle" in results:
        console.print(tabulate_idle(results["idle"]))
    console.print(tabulate_verdicts(verdicts))
