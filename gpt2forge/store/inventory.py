"""The inventory of a store: each artifact with its size, what it costs to make again, and the recipes that use it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpt2forge.store.record_index import IndexEntry
from gpt2forge.store.roots import Root, find_target, list_roots
from gpt2forge.store.stat_cache import DIGEST
from gpt2forge.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Item:
    """An artifact, `size` in bytes; `seconds` is how long it took to make, None without a record of it.

    `made` and `used` are seconds since 1970. `recipes` are those whose last build used it; `published` tells whether an
    output links to it.
    """

    digest: str
    stage: str | None
    size: int
    seconds: float | None
    made: float | None
    used: float | None
    recipes: tuple[str, ...]
    published: bool

    @property
    def seconds_per_byte(self) -> float:
        """Return how much time a later build saves for each byte that is kept."""
        return (self.seconds or 0.0) / max(1, self.size)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def take_inventory(store: Store, outputs: Sequence[Path] = ()) -> list[Item]:
    """Describe every artifact, the largest first. `outputs` may use some too, although no build has noted them."""
    roots = [root for root in list_roots(store).values() if not root.is_gone]
    makers: dict[str, list[IndexEntry]] = {}
    for record in list_records(store):
        makers.setdefault(record.digest, []).append(record)
    kept = set().union(*(root.list_kept(store) for root in roots), *(find_target(store, output) for output in outputs))
    items = (
        describe(store, digest, makers.get(digest, []), roots, published=digest in kept)
        for digest in list_digests(store)
    )
    return sorted(items, key=lambda item: -item.size)


def list_digests(store: Store) -> Iterator[str]:
    """List the digests of all artifacts, and skip whatever else is in their folder."""
    for folder in sorted((store.root / "artifacts").glob("*/")):
        if DIGEST.fullmatch(folder.name) and not folder.is_symlink():
            yield folder.name


def measure_store(store: Store) -> int:
    """Return the bytes of all artifacts on the disk; a file that two artifacts share counts once."""
    found = [found for digest in list_digests(store) for found in stat_files(store.artifacts.folder(digest))]
    return sum({(each.st_dev, each.st_ino): each.st_size for each in found}.values())


def stat_files(folder: Path) -> Iterator[os.stat_result]:
    """Yield the stat of each file at any depth, and skip files that another process removes meanwhile."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                yield Path(parent, name).stat()


def list_records(store: Store) -> Iterator[IndexEntry]:
    """List what the index has of every record of a store."""
    for folder in sorted((store.root / "records").glob("*/")):
        yield from store.records.index(folder.name)


def describe(
    store: Store, digest: str, makers: Sequence[IndexEntry], roots: Sequence[Root], *, published: bool
) -> Item:
    users = [root for root in roots if digest in root.steps.values()]
    return Item(
        digest=digest,
        stage=makers[0].stage if makers else None,
        size=sum(found.st_size for found in stat_files(store.artifacts.folder(digest))),
        seconds=min((record.seconds for record in makers), default=None),
        made=min((record.created for record in makers), default=None),
        used=max((root.time for root in users), default=None),
        recipes=tuple(sorted({root.recipe for root in users})),
        published=published,
    )
