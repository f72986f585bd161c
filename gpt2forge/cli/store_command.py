"""`gpt2forge store`: lists, verifies, shrinks and exchanges the store."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from gpt2forge.builder.outputs import BUILD
from gpt2forge.cli import console
from gpt2forge.cli.exchange_command import pull_command, push_command
from gpt2forge.cli.forget_command import describe_doubt, forget_command
from gpt2forge.cli.options import json_option, store_option
from gpt2forge.cli.progress_view import ProgressView
from gpt2forge.errors import UserError, quote
from gpt2forge.executor.events import Meter
from gpt2forge.recipe.lookup import RECIPES
from gpt2forge.settings import Settings, load_settings
from gpt2forge.store.gc import Garbage, collect, knows_outputs
from gpt2forge.store.inventory import Item, list_digests, measure_files, measure_store, stat_artifacts, take_inventory
from gpt2forge.store.locks import StoreBusy
from gpt2forge.store.marker import check_store
from gpt2forge.store.stat_cache import SHORT
from gpt2forge.store.store import Store
from gpt2forge.store.temporary import clear_asides, clear_folders
from gpt2forge.units import count, format_size, parse_size

LONGEST_WAIT = 600  # seconds that garbage collection waits for builds
MOST_DOUBTS = 5  # that are described one by one


@click.group("store")
def store() -> None:
    """List, verify and shrink the store, and exchange artifacts with remote levels."""


for command in (forget_command, pull_command, push_command):
    store.add_command(command)


@store.command("ls")
@store_option
@json_option
def list_artifacts(store: Path, as_json: bool) -> None:
    """List the artifacts, the largest first: size, time to make again, last use, and recipes."""
    opened = Store(store, is_read_only=True)
    check_store(store)
    files = stat_artifacts(opened)
    items, whole = take_inventory(opened, list_outputs(), files=files), measure_files(files)
    most = load_settings().store.max_size
    if as_json:
        console.write_json({"bytes": whole, "max_size": most, "artifacts": [item.to_json() for item in items]})
        return
    write_items(items)
    console.write(f"{format_size(whole)} in {count(len(items), 'artifact')}{format_budget(whole, most)}\n")


@store.command("verify")
@click.option("--repair", is_flag=True, help="Put damaged artifacts aside; the next build makes them again.")
@store_option
@json_option
def verify(repair: bool, store: Path, as_json: bool) -> None:
    """Read every byte of every artifact, and report the damaged ones."""
    opened = Store(store, is_read_only=not repair)
    check_store(store)
    with opened.hold(), ProgressView() as view:  # gc must wait; builds may go on
        digests = list(list_digests(opened))
        damaged = find_damaged(opened, digests, Meter("verify", view.show))
        for digest in damaged if repair else ():
            opened.artifacts.clear_damaged(digest, every_byte=True)
    if as_json:
        console.write_json({"artifacts": len(digests), "damaged": damaged, "repaired": repair})
    elif not damaged or repair:
        end = " and put aside" if damaged else ""
        console.write(f"{count(len(digests), 'artifact')} read, {len(damaged)} damaged{end}\n")
    if damaged and not repair:
        names = quote([digest[:SHORT] for digest in damaged])
        raise UserError(f"{store}: damaged: {names}; put aside with `--repair`, and the next build makes it again")


@store.command("gc")
@click.option(
    "--max-size",
    "size",
    metavar="SIZE",
    help="Leave at most SIZE, as in `20GB`. Default: `store.max_size` of the settings.",
)
@click.option("--keep-recipes", is_flag=True, help="Keep every step of each output's last build, not only its result.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@store_option
@json_option
def collect_garbage(size: str | None, keep_recipes: bool, dry_run: bool, store: Path, as_json: bool) -> None:
    """Remove leftovers and, above SIZE, the artifacts that are cheapest to make again for their size."""
    opened, limit = Store(store, is_read_only=dry_run), choose_limit(size)
    try:
        wait = Patience(f"{store}: waiting for a build, or another command, that is using it")
        garbage: Garbage | None = collect(
            opened, list_outputs(), limit=limit, keep_recipes=keep_recipes, is_dry=dry_run, wait=wait.wait
        )
    except StoreBusy:
        garbage = None
    if not dry_run:
        clear_own_leftovers()
    if as_json:
        console.write_json(describe_garbage(garbage, is_dry=dry_run))
    elif garbage:
        report_garbage(garbage, opened, limit, is_dry=dry_run)
    if garbage is None:
        console.warn(f"{store}: is still in use; nothing was removed, and a later `store gc` will do so")


def describe_garbage(garbage: Garbage | None, *, is_dry: bool) -> dict[str, object]:
    """Return what was removed, or would be, as JSON; `garbage` is None if the store was in use all the time."""
    found = garbage or Garbage(evicted=(), leftovers=(), doubts=())
    return {
        "bytes": sum(item.size for item in found.evicted),
        "removed": [item.to_json() for item in found.evicted],
        "leftovers": len(found.leftovers),
        "in_doubt": [doubt.to_json() for doubt in found.doubts],
        "dry_run": is_dry,
        "in_use": garbage is None,
    }


def report_garbage(garbage: Garbage, store: Store, limit: int | None, *, is_dry: bool) -> None:
    """Write what was removed, or would be, to stdout; and why more is left than the limit to stderr."""
    freed = sum(item.size for item in garbage.evicted)
    write_items(garbage.evicted)
    verb = "would remove" if is_dry else "removed"
    console.write(f"{verb} {format_sum(garbage.evicted)} and {count(len(garbage.leftovers), 'leftover')}\n")
    for line in list_remarks(garbage, store, limit, freed if is_dry else 0):
        console.inform(f"{store.root}: {line}")


def list_remarks(garbage: Garbage, store: Store, limit: int | None, still_there: int) -> Iterator[str]:
    """Yield which outputs are in doubt, and why a store is still above its limit.

    `still_there` are the bytes of artifacts that only would be removed.
    """
    yield from (describe_doubt(doubt, store) for doubt in garbage.doubts[:MOST_DOUBTS])
    if len(garbage.doubts) > MOST_DOUBTS:
        yield f"{len(garbage.doubts) - MOST_DOUBTS} more outputs are not found; `--json` lists them"
    excess = describe_excess(measure_store(store) - still_there, limit) if limit is not None else None
    if excess:
        yield excess


@dataclass
class Patience:
    """Reports once that a store is in use, and gives up after LONGEST_WAIT."""

    message: str
    began: float | None = None

    def wait(self) -> None:
        """Raise StoreBusy after LONGEST_WAIT. Called before each further try."""
        if self.began is None:
            self.began = time.monotonic()
            console.inform(self.message)
        if time.monotonic() - self.began > LONGEST_WAIT:
            raise StoreBusy


def clear_own_leftovers() -> None:
    """Remove what killed commands left in this working directory."""
    clear_folders(Path())
    for folder in (BUILD, RECIPES):
        clear_asides(folder)


def choose_limit(size: str | None) -> int | None:
    """Return the limit in bytes: `--max-size`, or the limit of the settings. Raises UserError for a wrong size."""
    if size is None:
        return load_settings().store.max_size
    try:
        return parse_size(size)
    except ValueError as error:
        raise UserError(f"`--max-size {size}` must be a size, as in `20GB` or `500MB`") from error


def list_outputs() -> list[Path]:
    """List what is published in this working directory."""
    return sorted(BUILD.glob("*"))


def write_items(items: Sequence[Item]) -> None:
    """Write a table of artifacts, unless there are none."""
    if items:
        head = ("artifact", "step", "size", "to make again", "last used", "recipes")
        console.write(console.align([head, *(tabulate(item) for item in items)]))


def tabulate(item: Item) -> tuple[str, ...]:
    again = "-" if item.seconds is None else f"{item.seconds:.1f} s"
    used = "-" if item.used is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(item.used))
    recipes = ", ".join(item.recipes) or "-"
    shown = f"{recipes}{' (published)' if item.published else ''}"
    return item.digest[:SHORT], item.stage or "-", format_size(item.size), again, used, shown


def format_sum(items: Sequence[Item]) -> str:
    return f"{format_size(sum(item.size for item in items))} in {count(len(items), 'artifact')}"


def format_budget(whole: int, most: int | None) -> str:
    """Format how much of its limit a store uses; empty without a limit."""
    if most is None:
        return ""
    share = f"{whole / most:.1%} of " if most else ""
    return f", {share}`store.max_size` {format_size(most)}"


def find_damaged(store: Store, digests: Sequence[str], meter: Meter) -> list[str]:
    """Return the digests of artifacts whose bytes changed."""
    damaged = []
    for done, digest in enumerate(digests):
        meter.advance(done, len(digests), "artifacts")
        if not store.artifacts.is_sound(digest):
            damaged.append(digest)
    return damaged


def describe_excess(left: int, limit: int | None) -> str:
    """Explain why a store is still above its limit; empty if it is not."""
    if limit is None or left <= limit:
        return ""
    what = f"{format_size(left)} is left, above {format_size(limit)}"
    return f"{what}: published results are kept; remove those you no longer need from `{BUILD}/`, here and elsewhere"


def shrink(store: Store, outputs: Sequence[Path], settings: Settings) -> str | None:
    """Shrink a store to the limit of the settings, and return a line about it, or None if nothing was removed.

    A build that went well does not fail here: an error is the line, and while another build uses the store nothing is
    removed.
    """
    most = settings.store.max_size
    if most is None or measure_store(store) <= most or not knows_outputs(store):
        return None
    try:
        garbage = collect(store, outputs, limit=most)
    except StoreBusy:
        return None
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or store.root}: {error.strerror}; the store stays above `store.max_size`"
    gone, missing = garbage.evicted, len(garbage.doubts)
    removed = f"removed {format_sum(gone)}, because `store.max_size` is {format_size(most)}" if gone else ""
    excess = describe_excess(measure_store(store), most)
    doubt = f"{count(missing, 'output')} not found: `gpt2forge store gc` says which" if excess and missing else ""
    line = "; ".join(part for part in (removed, excess, doubt) if part)
    return f"{store.root}: {line}" if line else None
