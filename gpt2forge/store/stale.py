"""What a store remembers to no use any more, and what collecting throws away with the rest.

1. The log of a step goes with its artifact; that of a step that failed, which has none, when it is old.
2. What the memo knows of the files of an artifact stays with it. The rest of it goes when it is old, for a digest of a
   stat does not tell whether there still is such a file: if there is, it is read once more.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from gpt2forge.store.inventory import list_digests, list_records
from gpt2forge.store.store import Store

OLD = 30 * 24 * 3600  # seconds


def list_stale(store: Store, gone: Collection[str]) -> list[Path]:
    """Files that may go together with the artifacts `gone`."""
    return [*list_logs(store, gone), *list_memo(store, gone)]


def list_logs(store: Store, gone: Collection[str]) -> Iterator[Path]:
    made = {store.log(record.stage, record.key): record.digest for record in list_records(store)}
    for path in sorted((store.root / "logs").glob("*.log")):
        digest = made.get(path)
        if is_old(path) if digest is None else digest in gone or not store.folder(digest).is_dir():
            yield path


def list_memo(store: Store, gone: Collection[str]) -> Iterator[Path]:
    kept = {
        store.memo.place_of(path)
        for digest in list_digests(store)
        if digest not in gone
        for path in store.folder(digest).rglob("*")
    }
    yield from (path for path in sorted((store.root / "memo").glob("*/*")) if path not in kept and is_old(path))


def is_old(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > OLD
    return False
