"""Garbage collection: evicts the artifacts that are cheapest to make again for their size, and removes leftovers.

1. While builds or readers use the store nothing is removed: they hold it, see Store.hold.
2. Only a folder that is a store is touched (see marker.py), and in it only names that the store makes.
3. Published artifacts stay; with `keep_recipes` so does every artifact of each output's last build. What an output that
   cannot be found may link to stays too, see roots.py.
4. Records stay: they are small, and name the digest of each step. So an evicted artifact is made again only if another
   step needs to read it.
5. The log of a step goes with its artifact. The log of a failed step, which has no artifact, goes when it is old.
6. Stat cache entries of artifact files stay with the artifact. All others go when they are old, because an entry does
   not tell whether its file still exists. If it does, it is read once more.
7. The lock file of a key goes when nobody holds it.
"""

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.atomic import ASIDE, remove_tree
from gpt2forge.store.doubts import Doubt, list_doubts
from gpt2forge.store.inventory import Item, list_digests, list_records, take_inventory
from gpt2forge.store.locks import is_locked, remove_idle_locks
from gpt2forge.store.marker import check_store
from gpt2forge.store.roots import Notes, list_gone, name_root, read_notes
from gpt2forge.store.stat_cache import DIGEST
from gpt2forge.store.store import Store
from gpt2forge.store.temporary import ASIDE_NAME

OLD = 30 * 24 * 3600  # seconds
DAMAGED = re.compile(r"[0-9a-f]{64}(\.json)?")
MANIFEST = re.compile(r"[0-9a-f]{64}\.json")
COPY = re.compile(rf"{re.escape(ASIDE)}[0-9a-f]{{64}}(\.json)?")  # see atomic.move
LOG = re.compile(r"[\w-]+-[0-9a-f]{16}\.log")
ENTRY = re.compile(r"[0-9a-f]{62}")


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """The artifacts and leftovers to remove, and the outputs in doubt for which artifacts are kept."""

    evicted: Sequence[Item]
    leftovers: Sequence[Path]
    doubts: Sequence[Doubt]


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
    store: Store,
    outputs: Sequence[Path],
    *,
    limit: int | None,
    keep_recipes: bool = False,
    is_dry: bool = False,
    wait: Callable[[], None] | None = None,
) -> Garbage:
    """Choose and, unless `is_dry`, remove artifacts and leftovers.

    `wait` is called before each further try while a build runs, and may raise to give up; without it, StoreBusy is
    raised at once. If no output was ever noted, this removes leftovers, then raises UserError: it cannot tell which
    artifacts are in use.
    """
    check_store(store.root)
    with nullcontext() if is_dry else store.hold(alone=True, wait=wait):
        notes = read_notes(store)
        doubts = list_doubts(notes)
        evicted = choose_evicted(store, outputs, notes, limit, keep_recipes)
        leftovers = [*list_leftovers(store, notes), *list_stale(store, {item.digest for item in evicted})]
        if not is_dry:
            remove(store, evicted, leftovers)
    if limit is not None and not knows_outputs(store):
        raise UserError(
            f"{store.root}: does not know which outputs use it, so only leftovers go; build again what is to be kept"
        )
    return Garbage(evicted=evicted, leftovers=leftovers, doubts=doubts)


def preview(store: Store, outputs: Sequence[Path], *, without: Sequence[Path]) -> Garbage:
    """Choose what `collect`, with `keep_recipes` and a limit of 0, would remove if the outputs `without` were gone.

    `outputs` are the others. Nothing is removed.
    """
    check_store(store.root)
    gone = {name_root(store, output) for output in without}
    notes = {path: root for path, root in read_notes(store).items() if path not in gone}
    evicted = choose_evicted(store, outputs, notes, 0, keep_recipes=True)
    leftovers = [*list_leftovers(store, notes), *list_stale(store, {item.digest for item in evicted})]
    return Garbage(evicted=evicted, leftovers=leftovers, doubts=list_doubts(notes))


def choose_evicted(
    store: Store, outputs: Sequence[Path], notes: Notes, limit: int | None, keep_recipes: bool
) -> list[Item]:
    """Choose the artifacts to evict; none if it is not known what outputs use."""
    if limit is None or not knows_outputs(store) or None in notes.values():
        return []
    return choose(take_inventory(store, outputs, notes=notes), limit, keep_recipes)


def remove(store: Store, evicted: Iterable[Item], leftovers: Iterable[Path]) -> None:
    """Evict artifacts, and remove leftovers and idle locks. The caller holds the store alone."""
    for item in evicted:
        store.artifacts.evict(item.digest)
    for path in leftovers:
        remove_tree(path)
    remove_idle_locks(store.root)


def knows_outputs(store: Store) -> bool:
    """Return whether any output was ever published from this store."""
    return (store.root / "roots").is_dir()


def list_leftovers(store: Store, notes: Notes) -> list[Path]:
    """List leftovers of killed builds, damaged artifacts, manifests without artifact, and notes of removed outputs."""
    root = store.root
    making = [path for path in list_named(root, "making", DIGEST) if not is_locked(root / "locks" / path.name)]
    manifests = [path for path in list_named(root, "artifacts", MANIFEST) if not path.with_suffix("").is_dir()]
    folders = (".", "artifacts", "records/*", "stat_cache/*", "roots")
    aside = [path for folder in folders for path in list_named(root, folder, ASIDE_NAME)]
    copies = [path for folder in ("artifacts", "damaged") for path in list_named(root, folder, COPY)]
    return [*making, *list_named(root, "damaged", DAMAGED), *manifests, *list_gone(notes), *aside, *copies]


def list_named(root: Path, folder: str, name: re.Pattern[str]) -> list[Path]:
    """List what has such a name in a folder of the store: names that the store does not make are not touched."""
    return sorted(path for path in root.glob(f"{folder}/*") if name.fullmatch(path.name))


def list_stale(store: Store, evicted: Collection[str]) -> list[Path]:
    """List the logs and stat cache entries that are no longer needed without the artifacts `evicted`."""
    return [*list_stale_logs(store, evicted), *list_stale_entries(store, evicted)]


def list_stale_logs(store: Store, evicted: Collection[str]) -> Iterator[Path]:
    made = {store.log(record.stage, record.key): record.digest for record in list_records(store)}
    for path in list_named(store.root, "logs", LOG):
        digest = made.get(path)
        if is_old(path) if digest is None else digest in evicted or not store.artifacts.folder(digest).is_dir():
            yield path


def list_stale_entries(store: Store, evicted: Collection[str]) -> Iterator[Path]:
    entries = list_named(store.root, "stat_cache/[0-9a-f][0-9a-f]", ENTRY)
    old = [path for path in entries if is_old(path)]
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
