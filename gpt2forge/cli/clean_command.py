"""`gpt2forge clean`: removes results, and what the store keeps for no result."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gpt2forge.builder.remove_outputs import find_outputs, remove_outputs
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option, store_option
from gpt2forge.cli.store_command import Patience, format_sum, list_outputs, write_items
from gpt2forge.errors import UserError, quote
from gpt2forge.store.gc import Garbage, collect, knows_outputs, preview
from gpt2forge.store.inventory import stat_files
from gpt2forge.store.locks import StoreBusy
from gpt2forge.store.store import Store
from gpt2forge.units import count, format_size

NOTHING = Garbage(evicted=(), leftovers=(), doubts=())


@click.command("clean")
@click.argument("selectors", metavar="[RECIPE...]", nargs=-1)
@click.option("--yes", is_flag=True, help="Remove published results without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@store_option
@json_option
def clean(selectors: tuple[str, ...], yes: bool, dry_run: bool, store: Path, as_json: bool) -> None:
    """Remove the results of recipes, and from the store what the last build of no other result used.

    Without RECIPE, only the store is cleaned. Asks before it removes results.
    """
    outputs = find_outputs(selectors)
    sizes = {str(output): measure(output) for output in outputs}
    if dry_run:
        garbage = look(store, outputs)
    else:
        confirm(sizes, yes)
        remove_outputs(outputs)
        garbage = sweep(store)
    if as_json:
        removed = [item.to_json() for item in garbage.evicted]
        leftovers = len(garbage.leftovers)
        console.write_json({"outputs": sizes, "artifacts": removed, "leftovers": leftovers, "dry_run": dry_run})
    else:
        report(sizes, garbage, "would remove" if dry_run else "removed")


def measure(output: Path) -> int:
    """Return the bytes of a result, which the store holds."""
    return sum(each.st_size for each in stat_files(str(output)))


def confirm(sizes: dict[str, int], yes: bool) -> None:
    """Ask before results are removed. Raises UserError if nobody can answer, and for a no."""
    if not sizes or yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        names = quote(list(sizes))
        raise UserError(f"{names}: published results are removed only with `--yes`; `--dry-run` shows what goes")
    for path, size in sizes.items():
        console.inform(f"{path}  {format_size(size)}, with its report")
    if not click.confirm(f"remove {count(len(sizes), 'result')}?", err=True):
        raise UserError("nothing was removed")


def look(store: Path, outputs: Sequence[Path]) -> Garbage:
    """Return what would be removed from the store if these outputs were gone."""
    opened = Store(store, is_read_only=True)
    left = [output for output in list_outputs() if output not in outputs]
    return preview(opened, left, without=outputs) if knows_outputs(opened) else NOTHING


def sweep(store: Path) -> Garbage:
    """Remove from the store what the last build of no result used."""
    if not knows_outputs(Store(store, is_read_only=True)):
        return NOTHING
    opened = Store(store)
    try:
        wait = Patience(f"{store}: waiting for a build, or another command, that is using it")
        return collect(opened, list_outputs(), limit=0, keep_recipes=True, wait=wait.wait)
    except StoreBusy:
        console.warn(f"{store}: is still in use, so nothing was removed there; run `gpt2forge clean` later")
        return NOTHING


def report(sizes: dict[str, int], garbage: Garbage, verb: str) -> None:
    """Write what was removed, or would be."""
    for path in sizes:
        console.write(f"{verb} {path} and its report\n")
    write_items(garbage.evicted)
    console.write(f"{verb} {format_sum(garbage.evicted)} and {count(len(garbage.leftovers), 'leftover')}\n")
    if garbage.doubts:
        console.inform(f"{count(len(garbage.doubts), 'output')} not found: `gpt2forge store gc` says which")
