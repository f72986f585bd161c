"""The inventory of a store: each artifact with its size, what it costs to make again, and the recipes that use it."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpt2forge.store.record_index import IndexEntry
from gpt2forge.store.roots import Notes, Root, find_digest, list_roots, read_notes
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


Files = Mapping[str, Sequence[os.stat_result]]
"""The stats of the files of each artifact, by its digest."""


def take_inventory(
    store: Store, outputs: Sequence[Path] = (), *, files: Files | None = None, notes: Notes | None = None
) -> list[Item]:
    """Describe every artifact, the largest first. `outputs` may use some too, although no build has noted them.

    `files` and `notes` are what `stat_artifacts` and `read_notes` return, for a caller that has called them.
    """
    roots = list(list_roots(read_notes(store) if notes is None else notes).values())
    makers: dict[str, list[IndexEntry]] = {}
    for record in list_records(store):
        makers.setdefault(record.digest, []).append(record)
    users: dict[str, list[Root]] = {}
    for root in roots:
        for digest in set(root.steps.values()):
            users.setdefault(digest, []).append(root)
    kept = set().union(*(root.list_kept() for root in roots), (find_digest(output) for output in outputs))
    found = stat_artifacts(store) if files is None else files
    items = (
        describe(digest, stats, makers.get(digest, ()), users.get(digest, ()), published=digest in kept)
        for digest, stats in found.items()
    )
    return sorted(items, key=lambda item: -item.size)


def list_digests(store: Store) -> Iterator[str]:
    """List the digests of all artifacts, and skip whatever else is in their folder."""
    found: list[os.DirEntry[str]] = []
    with suppress(FileNotFoundError), os.scandir(store.root / "artifacts") as entries:
        found = [entry for entry in entries if DIGEST.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)]
    yield from sorted(entry.name for entry in found)


def stat_artifacts(store: Store) -> Files:
    """Return the stats of all files of all artifacts."""
    return {digest: list(stat_files(str(store.artifacts.folder(digest)))) for digest in list_digests(store)}


def measure_store(store: Store) -> int:
    """Return the bytes of all artifacts on the disk; a file that two artifacts share counts once."""
    return measure_files(stat_artifacts(store))


def measure_files(files: Files) -> int:
    """Return the bytes of the files of artifacts, as `measure_store` does."""
    return sum({(each.st_dev, each.st_ino): each.st_size for stats in files.values() for each in stats}.values())


def stat_files(folder: str) -> Iterator[os.stat_result]:
    """Yield the stat of each file at any depth, and skip what another process removes meanwhile."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from stat_files(entry.path)
                continue
            with suppress(FileNotFoundError):
                found = entry.stat()
                if not stat.S_ISDIR(found.st_mode):
                    yield found


def list_records(store: Store) -> Iterator[IndexEntry]:
    """List what the index has of every record of a store."""
    for folder in sorted((store.root / "records").glob("*/")):
        yield from store.records.index(folder.name).list_all()


def describe(
    digest: str,
    files: Iterable[os.stat_result],
    makers: Sequence[IndexEntry],
    users: Sequence[Root],
    *,
    published: bool,
) -> Item:
    return Item(
        digest=digest,
        stage=makers[0].stage if makers else None,
        size=sum(found.st_size for found in files),
        seconds=min((record.seconds for record in makers), default=None),
        made=min((record.created for record in makers), default=None),
        used=max((root.time for root in users), default=None),
        recipes=tuple(sorted({root.recipe for root in users})),
        published=published,
    )
