"""`gpt2forge store`: what lies in the store, whether it is sound, and how to make it smaller."""

import time
from collections.abc import Sequence
from pathlib import Path

from gpt2forge.builder.outputs import BUILD
from gpt2forge.cli import console
from gpt2forge.errors import UserError, quote
from gpt2forge.executor.events import Meter
from gpt2forge.settings import Settings, load_settings
from gpt2forge.store.gc import check_known, collect, knows_outputs
from gpt2forge.store.inventory import Item, list_digests, measure_store, take_inventory
from gpt2forge.store.locks import StoreBusy
from gpt2forge.store.store import Store
from gpt2forge.units import format_size, parse_size

SHORT = 12  # digits of a key or digest that are shown


def choose_limit(text: str | None) -> int | None:
    """How many bytes may be left: what a command line says, or else the settings. Raises UserError for no size."""
    if text is None:
        return load_settings().store.max_size
    try:
        return parse_size(text)
    except ValueError as error:
        raise UserError(f"`{text}`: a size is written as `20GB` or `500MB`") from error


def list_outputs() -> list[Path]:
    """What was published here."""
    return sorted(BUILD.glob("*"))


def list_store(root: Path, as_json: bool) -> None:
    """Write a row for each artifact, the largest first, and the sum beside what it may be."""
    store = Store(root, is_read_only=True)
    check_known(store)
    items, whole = take_inventory(store, list_outputs()), measure_store(store)
    most = load_settings().store.max_size
    if as_json:
        console.write_json({"bytes": whole, "max_size": most, "artifacts": [item.to_json() for item in items]})
        return
    write_items(items)
    console.write(f"{format_size(whole)} in {count(len(items), 'artifact')}{describe_budget(whole, most)}\n")


def sum_up(items: Sequence[Item]) -> str:
    return f"{format_size(sum(item.size for item in items))} in {count(len(items), 'artifact')}"


def count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def describe_budget(whole: int, most: int | None) -> str:
    if most is None:
        return ""
    share = f"{whole / most:.1%} of " if most else ""
    return f", {share}`store.max_size` {format_size(most)}"


def write_items(items: Sequence[Item]) -> None:
    if items:
        head = ("artifact", "step", "size", "to make again", "last used", "recipes")
        console.write_rows([head, *(tabulate(item) for item in items)], {})


def tabulate(item: Item) -> tuple[str, ...]:
    again = "-" if item.seconds is None else f"{item.seconds:.1f} s"
    used = "-" if item.used is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(item.used))
    recipes = ", ".join(item.recipes) or "-"
    shown = f"{recipes}{' (published)' if item.published else ''}"
    return item.digest[:SHORT], item.stage or "-", format_size(item.size), again, used, shown


def verify_store(root: Path, repair: bool, as_json: bool) -> None:
    """Read every byte; with `repair` put aside what is damaged, so that the next build makes it anew.

    Raises UserError when something is damaged and was not put aside.
    """
    store = Store(root, is_read_only=not repair)
    check_known(store)
    with store.hold(), console.RunView() as view:  # nothing is thrown away meanwhile; builds may go on
        digests, damaged = list(list_digests(store)), []
        meter = Meter("verify", view.show)
        for done, digest in enumerate(digests):
            meter.advance(done, len(digests), "artifacts")
            if not store.artifacts.is_sound(digest):
                damaged.append(digest)
        for digest in damaged if repair else ():
            store.artifacts.clear_damaged(digest, every_byte=True)
    if as_json:
        console.write_json({"artifacts": len(digests), "damaged": damaged, "repaired": repair})
    elif not damaged or repair:
        console.write(f"{len(digests)} artifacts read, {len(damaged)} damaged{' and put aside' if damaged else ''}\n")
    if damaged and not repair:
        names = quote([digest[:SHORT] for digest in damaged])
        raise UserError(f"{root}: damaged: {names}; put aside with `--repair`, and the next build makes it anew")


def collect_store(root: Path, most: str | None, keep_recipes: bool, dry: bool, as_json: bool) -> None:
    """Throw away leftovers and, beyond a size, what is cheapest to make again for its size."""
    store, limit = Store(root, is_read_only=dry), choose_limit(most)
    gone, leftovers = collect(store, list_outputs(), limit=limit, keep_recipes=keep_recipes, is_dry=dry)
    freed = sum(item.size for item in gone)
    if as_json:
        removed = [item.to_json() for item in gone]
        console.write_json({"bytes": freed, "removed": removed, "leftovers": len(leftovers), "dry_run": dry})
        return
    write_items(gone)
    console.write(f"{sum_up(gone)} and {count(len(leftovers), 'leftover')} {'would go' if dry else 'gone'}\n")
    excess = describe_excess(measure_store(store) - (freed if dry else 0), limit)
    if excess:
        console.say(f"{root}: {excess}")


def describe_excess(left: int, limit: int | None) -> str:
    """Why a store stays above its limit; empty where it does not."""
    if limit is None or left <= limit:
        return ""
    what = f"{format_size(left)} are left, above {format_size(limit)}"
    return f"{what}: what is published, here or elsewhere, is kept; remove outputs from `{BUILD}/` that nobody needs"


def shrink(store: Store, outputs: Sequence[Path], settings: Settings) -> str | None:
    """Bring a store down to what the settings allow, and say in one line what went; None where nothing did.

    It fails no build that went well: while another one uses the store nothing goes, in silence; and what else is in the
    way is told in the line.
    """
    most = settings.store.max_size
    if most is None or measure_store(store) <= most or not knows_outputs(store):
        return None
    try:
        gone, _ = collect(store, outputs, limit=most)
    except StoreBusy:
        return None
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or store.root}: {error.strerror}; the store stays above `store.max_size`"
    excess = describe_excess(measure_store(store), most)
    went = f"{sum_up(gone)} gone, for `store.max_size` is {format_size(most)}" if gone else ""
    said = "; ".join(part for part in (went, excess) if part)
    return f"{store.root}: {said}" if said else None
