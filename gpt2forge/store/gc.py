"""Garbage collection: removes the artifacts that are cheapest to make again for their size, and leftovers.

1. While a build runs nothing goes: it holds the store, see Store.hold.
2. What an output leads to stays; with `keep_recipes` so does every step of that output's last build.
3. Records stay: they are small, and say what came out, so that a step whose artifact is gone is made again only where
   another one needs to read it.
4. The log of a step goes with its artifact. The log of a failed step, which has no artifact, goes when it is old.
5. Entries of the stat cache for files of an artifact stay with it. All others go when they are old, because a digest of
   a stat does not tell whether the file still exists. If it does, it is read once more.
"""

import fcntl
import os
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.atomic import ASIDE, remove_tree
from gpt2forge.store.inventory import Item, list_digests, list_records, take_inventory
from gpt2forge.store.roots import list_roots
from gpt2forge.store.store import Store

OLD = 30 * 24 * 3600  # seconds


def choose(items: Iterable[Item], most: int | None, keep_recipes: bool) -> list[Item]:
    """What must go so that at most `most` bytes are left; nothing where that is None."""
    rest = list(items)
    left = sum(item.size for item in rest)
    gone = []
    for item in sorted(rest, key=lambda item: (item.worth, -item.size)):
        is_kept = item.published or (keep_recipes and item.recipes)
        if not is_kept and most is not None and left > most:
            gone.append(item)
            left -= item.size
    return gone


def collect(
    store: Store, outputs: Sequence[Path], most: int | None, keep_recipes: bool, dry: bool
) -> tuple[list[Item], list[Path]]:
    """Choose and, unless `dry`, remove; gives what goes, and the leftovers that go with it.

    Raises StoreBusy while a build runs; UserError where the note of an output is damaged, and, when leftovers are gone,
    where no output was ever noted: then what is in use cannot be told from what is not.
    """
    check_known(store)
    with nullcontext() if dry else store.hold(alone=True):
        gone = choose(take_inventory(store, outputs), most, keep_recipes) if knows_outputs(store) else []
        leftovers = [*list_leftovers(store), *list_stale(store, {item.digest for item in gone})]
        if not dry:
            for item in gone:
                store.evict(item.digest)
            for path in leftovers:
                remove_tree(path)
    if most is not None and not knows_outputs(store):
        raise UserError(
            f"{store.root}: does not know which outputs use it, so only leftovers go; build again what is to be kept"
        )
    return gone, leftovers


def check_known(store: Store) -> None:
    """Raises UserError where no build was ever begun."""
    if not any((store.root / part).is_dir() for part in ("artifacts", "making")):
        raise UserError(f"{store.root}: there is no store; name one with `--store`")


def knows_outputs(store: Store) -> bool:
    """Whether anything was ever published from here."""
    return (store.root / "roots").is_dir()


def list_leftovers(store: Store) -> list[Path]:
    """What killed builds left, damaged artifacts, manifests without one, and notes of outputs that are gone."""
    making = [
        path for path in sorted((store.root / "making").glob("*")) if not is_held(store.root / "locks" / path.name)
    ]
    manifests = [
        path for path in sorted((store.root / "artifacts").glob("*.json")) if not path.with_suffix("").is_dir()
    ]
    dead = [path for path, root in list_roots(store).items() if root.is_gone]
    aside = [
        path for folder in ("artifacts", "records/*", "stat_cache/*", "roots") for path in list_aside(store, folder)
    ]
    return [*making, *sorted((store.root / "damaged").glob("*")), *manifests, *dead, *aside]


def list_aside(store: Store, folder: str) -> list[Path]:
    """Files that were never put into their place."""
    return sorted(store.root.glob(f"{folder}/{ASIDE}*"))


def is_held(lock: Path) -> bool:
    """Whether a process holds a lock; one that a killed build has left is held by none."""
    with suppress(FileNotFoundError):
        descriptor = os.open(lock, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False


def list_stale(store: Store, gone: Collection[str]) -> list[Path]:
    """Files that may go together with the artifacts `gone`."""
    return [*list_logs(store, gone), *list_stat_cache(store, gone)]


def list_logs(store: Store, gone: Collection[str]) -> Iterator[Path]:
    made = {store.log(record.stage, record.key): record.digest for record in list_records(store)}
    for path in sorted((store.root / "logs").glob("*.log")):
        digest = made.get(path)
        if is_old(path) if digest is None else digest in gone or not store.folder(digest).is_dir():
            yield path


def list_stat_cache(store: Store, gone: Collection[str]) -> Iterator[Path]:
    kept = {
        store.stat_cache.place_of(path)
        for digest in list_digests(store)
        if digest not in gone
        for path in store.folder(digest).rglob("*")
    }
    yield from (path for path in sorted((store.root / "stat_cache").glob("*/*")) if path not in kept and is_old(path))


def is_old(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > OLD
    return False
