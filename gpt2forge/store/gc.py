"""Garbage collection: evicts the artifacts that are cheapest to make again for their size, and removes leftovers.

1. While a build runs nothing is removed: the build holds the store, see Store.hold.
2. Published artifacts stay; with `keep_recipes` so does every artifact of each output's last build.
3. Records stay: they are small, and name the digest of each step. So an evicted artifact is made again only if another
   step needs to read it.
4. The log of a step goes with its artifact. The log of a failed step, which has no artifact, goes when it is old.
5. Stat cache entries of artifact files stay with the artifact. All others go when they are old, because an entry does
   not tell whether its file still exists. If it does, it is read once more.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.atomic import ASIDE, remove_tree
from gpt2forge.store.inventory import Item, list_digests, list_records, take_inventory
from gpt2forge.store.locks import is_locked
from gpt2forge.store.roots import list_roots
from gpt2forge.store.store import Store

OLD = 30 * 24 * 3600  # seconds


def choose(items: Iterable[Item], limit: int | None, keep_recipes: bool) -> list[Item]:
    """Choose the artifacts to evict so that at most `limit` bytes are left; none if it is None."""
    found = list(items)
    left = sum(item.size for item in found)
    chosen = []
    for item in sorted(found, key=lambda item: (item.seconds_per_byte, -item.size)):
        is_kept = item.published or (keep_recipes and item.recipes)
        if not is_kept and limit is not None and left > limit:
            chosen.append(item)
            left -= item.size
    return chosen


def collect(
    store: Store, outputs: Sequence[Path], *, limit: int | None, keep_recipes: bool = False, is_dry: bool = False
) -> tuple[list[Item], list[Path]]:
    """Choose and, unless `is_dry`, remove; return the artifacts and the leftovers that are removed with them.

    Raises StoreBusy while a build runs, and UserError if the note of an output is damaged. If no output was ever noted,
    it removes leftovers, then raises UserError: it cannot tell which artifacts are in use.
    """
    check_known(store)
    with nullcontext() if is_dry else store.hold(alone=True):
        evicted = choose(take_inventory(store, outputs), limit, keep_recipes) if knows_outputs(store) else []
        leftovers = [*list_leftovers(store), *list_stale(store, {item.digest for item in evicted})]
        if not is_dry:
            for item in evicted:
                store.artifacts.evict(item.digest)
            for path in leftovers:
                remove_tree(path)
    if limit is not None and not knows_outputs(store):
        raise UserError(
            f"{store.root}: does not know which outputs use it, so only leftovers go; build again what is to be kept"
        )
    return evicted, leftovers


def check_known(store: Store) -> None:
    """Raise UserError if no build ever used this store."""
    if not any((store.root / part).is_dir() for part in ("artifacts", "making")):
        raise UserError(f"{store.root}: there is no store; name one with `--store`")


def knows_outputs(store: Store) -> bool:
    """Return whether any output was ever published from this store."""
    return (store.root / "roots").is_dir()


def list_leftovers(store: Store) -> list[Path]:
    """List leftovers of killed builds, damaged artifacts, manifests without artifact, and notes of removed outputs."""
    making = [
        path for path in sorted((store.root / "making").glob("*")) if not is_locked(store.root / "locks" / path.name)
    ]
    manifests = [
        path for path in sorted((store.root / "artifacts").glob("*.json")) if not path.with_suffix("").is_dir()
    ]
    notes = [path for path, root in list_roots(store).items() if root.is_gone]
    folders = ("artifacts", "records/*", "stat_cache/*", "roots")
    aside = [path for folder in folders for path in list_aside(store, folder)]
    return [*making, *sorted((store.root / "damaged").glob("*")), *manifests, *notes, *aside]


def list_aside(store: Store, folder: str) -> list[Path]:
    """List files that never took their place."""
    return sorted(store.root.glob(f"{folder}/{ASIDE}*"))


def list_stale(store: Store, evicted: Collection[str]) -> list[Path]:
    """List the logs and stat cache entries that are no longer needed without the artifacts `evicted`."""
    return [*list_stale_logs(store, evicted), *list_stale_entries(store, evicted)]


def list_stale_logs(store: Store, evicted: Collection[str]) -> Iterator[Path]:
    made = {store.log(record.stage, record.key): record.digest for record in list_records(store)}
    for path in sorted((store.root / "logs").glob("*.log")):
        digest = made.get(path)
        if is_old(path) if digest is None else digest in evicted or not store.artifacts.folder(digest).is_dir():
            yield path


def list_stale_entries(store: Store, evicted: Collection[str]) -> Iterator[Path]:
    old = [path for path in sorted(store.stat_cache.folder.glob("*/*")) if is_old(path)]
    kept = {
        store.stat_cache.place_of(path)
        for digest in (list_digests(store) if old else ())
        if digest not in evicted
        for path in store.artifacts.folder(digest).rglob("*")
    }
    yield from (path for path in old if path not in kept)


def is_old(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > OLD
    return False
