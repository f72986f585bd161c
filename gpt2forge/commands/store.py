"""`gpt2forge store`: what lies in the store, whether it is sound, and how to make it smaller."""

import re
import time
from collections.abc import Sequence
from pathlib import Path

from gpt2forge import console
from gpt2forge.commands.output import BUILD
from gpt2forge.errors import UserError
from gpt2forge.progress import Meter
from gpt2forge.recipe import quote
from gpt2forge.store.collect import check_known, collect
from gpt2forge.store.inventory import Item, list_digests, take_inventory
from gpt2forge.store.store import Store

SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)B?", re.ASCII | re.IGNORECASE)
SHORT = 12  # characters of a digest that are shown
POWERS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def read_size(text: str) -> int:
    """`20GB` in bytes; raises UserError for what is no size."""
    found = SIZE.fullmatch(text)
    if found is None:
        raise UserError(f"`{text}`: a size is written as `20GB` or `500MB`")
    return int(float(found[1]) * POWERS[found[2].upper()])


def list_outputs() -> list[Path]:
    """What was published here."""
    return sorted(BUILD.glob("*"))


def list_store(root: Path, as_json: bool) -> None:
    """Write a row for each artifact, the largest first, and the sum."""
    check_known(Store(root))
    items = take_inventory(Store(root), list_outputs())
    whole = sum(item.size for item in items)
    if as_json:
        console.write_json({"bytes": whole, "artifacts": [item.to_json() for item in items]})
        return
    write_items(items)
    console.write(f"{console.size(whole)} in {len(items)} artifacts\n")


def write_items(items: Sequence[Item]) -> None:
    if items:
        head = ("artifact", "step", "size", "to make again", "last used", "recipes")
        console.write_rows([head, *(tabulate(item) for item in items)], {})


def tabulate(item: Item) -> tuple[str, ...]:
    again = "-" if item.seconds is None else f"{item.seconds:.1f} s"
    used = "-" if item.used is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(item.used))
    recipes = ", ".join(item.recipes) or "-"
    shown = f"{recipes}{' (published)' if item.published else ''}"
    return item.digest[:SHORT], item.stage or "-", console.size(item.size), again, used, shown


def verify_store(root: Path, repair: bool, as_json: bool) -> None:
    """Read every byte; with `repair` put aside what is damaged, so that the next build makes it anew.

    Raises UserError when something is damaged and was not put aside.
    """
    store = Store(root)
    check_known(store)
    with store.hold(), console.RunView() as view:  # nothing is thrown away meanwhile; builds may go on
        digests, damaged = list(list_digests(store)), []
        meter = Meter("verify", view.show)
        for done, digest in enumerate(digests):
            meter.advance(done, len(digests), "artifacts")
            if not store.is_sound(digest):
                damaged.append(digest)
        for digest in damaged if repair else ():
            with store.lock(digest):
                # A build may have noticed too, and made it anew.
                if store.folder(digest).is_dir() and not store.is_sound(digest):
                    store.put_aside(store.folder(digest))
    if as_json:
        console.write_json({"artifacts": len(digests), "damaged": damaged, "repaired": repair})
    elif not damaged or repair:
        console.write(f"{len(digests)} artifacts read, {len(damaged)} damaged{' and put aside' if damaged else ''}\n")
    if damaged and not repair:
        names = quote([digest[:SHORT] for digest in damaged])
        raise UserError(f"{root}: damaged: {names}; put aside with `--repair`, and the next build makes it anew")


def collect_store(root: Path, most: str | None, keep_recipes: bool, dry: bool, as_json: bool) -> None:
    """Throw away leftovers and, beyond a size, what is cheapest to make again for its size."""
    gone, leftovers = collect(Store(root), list_outputs(), None if most is None else read_size(most), keep_recipes, dry)
    freed = sum(item.size for item in gone)
    if as_json:
        removed = [item.to_json() for item in gone]
        console.write_json({"bytes": freed, "removed": removed, "leftovers": len(leftovers), "dry_run": dry})
        return
    write_items(gone)
    what = "would go" if dry else "gone"
    console.write(f"{console.size(freed)} in {len(gone)} artifacts and {len(leftovers)} leftovers {what}\n")
