"""What lies in a store: each artifact with what it costs to make again, and who uses it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpt2forge.store.records import Record
from gpt2forge.store.roots import Root, find_target, list_roots
from gpt2forge.store.stat_cache import DIGEST
from gpt2forge.store.store import Store


@dataclass(frozen=True)
class Item:
    """An artifact. `seconds`: what making it took; None where no record speaks of it. Times since 1970.

    `recipes` are those whose last build used it, `published` whether an output leads to it.
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
    def worth(self) -> float:
        """Seconds that a byte of it saves."""
        return (self.seconds or 0.0) / max(1, self.size)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def take_inventory(store: Store, outputs: Sequence[Path] = ()) -> list[Item]:
    """Every artifact, the largest first. `outputs` may be in use too, though no build has noted them."""
    roots = [root for root in list_roots(store).values() if not root.is_gone]
    makers: dict[str, list[Record]] = {}
    for record in list_records(store):
        makers.setdefault(record.digest, []).append(record)
    held = set().union(*(root.list_held(store) for root in roots), *(find_target(store, output) for output in outputs))
    items = (describe(store, digest, makers.get(digest, []), roots, digest in held) for digest in list_digests(store))
    return sorted(items, key=lambda item: -item.size)


def list_digests(store: Store) -> Iterator[str]:
    """The digests of all artifacts; whatever else lies there is none of ours."""
    for folder in sorted((store.root / "artifacts").glob("*/")):
        if DIGEST.fullmatch(folder.name) and not folder.is_symlink():
            yield folder.name


def measure(store: Store) -> int:
    """Bytes that all artifacts take; a file that two of them share counts once."""
    found = [found for digest in list_digests(store) for found in stat_files(store.folder(digest))]
    return sum({(each.st_dev, each.st_ino): each.st_size for each in found}.values())


def stat_files(folder: Path) -> Iterator[os.stat_result]:
    """The stat of each file, however deep; of what is thrown away meanwhile nothing is said."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                yield Path(parent, name).stat()


def list_records(store: Store) -> Iterator[Record]:
    for folder in sorted((store.root / "records").glob("*/")):
        yield from store.records(folder.name)


def describe(store: Store, digest: str, makers: Sequence[Record], roots: Sequence[Root], published: bool) -> Item:
    users = [root for root in roots if digest in root.steps.values()]
    return Item(
        digest,
        makers[0].stage if makers else None,
        sum(found.st_size for found in stat_files(store.folder(digest))),
        min((record.seconds for record in makers), default=None),
        min((record.created for record in makers), default=None),
        max((root.time for root in users), default=None),
        tuple(sorted({root.recipe for root in users})),
        published,
    )
