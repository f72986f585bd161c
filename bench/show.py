"""The results in a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from bench.tables import tabulate, tabulate_graph

BUSY = 0.8  # load average above which a measurement says so


def print_results(console: Console, results: Mapping[str, Any]) -> None:
    """Print the machine, and the parts that were measured."""
    for line in describe_machine(results["host"]):
        console.print(line, highlight=False)
    for _, sheets in (*tabulate(results), *tabulate_graph(results)):
        for sheet in sheets:
            console.print(sheet.to_rich())


def describe_machine(host: Mapping[str, Any]) -> list[str]:
    """What the numbers were taken with, in sentences."""
    versions = ", ".join(f"{tool} {number}" for tool, number in host["versions"].items())
    memory = f"{host['memory_bytes'] / 1e9:.0f} GB of memory"
    lines = [f"{host['processor']}, {host['threads']} threads, {memory}; {host['system']}.", f"{versions}."]
    if host["load_before"] > BUSY:
        lines.append(f"The machine was busy when this began (load {host['load_before']:.1f}): its times are doubtful.")
    return lines
