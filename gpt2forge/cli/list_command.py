"""`gpt2forge list`: the recipes, and which are built."""

from collections.abc import Sequence

import click

from gpt2forge.builder.listing import Entry, list_entries
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option
from gpt2forge.units import format_size

COLOURS = {"current": "green", "built": "green", "changed": "yellow", "failed": "red", "wrong": "red"}


@click.command("list")
@click.argument("selectors", metavar="[RECIPE...]", nargs=-1)
@json_option
def list_command(selectors: tuple[str, ...], as_json: bool) -> None:
    """List recipes and their variants: whether each is built, and the size of the result."""
    entries = list_entries(selectors)
    if as_json:
        console.write_json({"recipes": [entry.to_json() for entry in entries]})
        return
    if not entries:
        console.inform("there is no recipe here; `gpt2forge init CHECKPOINT` writes one")
        return
    console.write_rows(list(tabulate(entries)), COLOURS)
    for entry in entries:
        for fault in entry.faults:
            console.warn(fault)


def tabulate(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Return a row for each entry. The state comes first, as in `plan`."""
    rows: list[tuple[str, ...]] = [("state", "recipe", "size", "weights")]
    for entry in entries:
        size = "-" if entry.bytes is None else format_size(entry.bytes)
        rows.append((entry.state, entry.name, size, entry.scheme or "-"))
    return rows
