"""The levels behind a store, in order, and the keys that are trusted and that sign."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gpt2forge.digest import digest_bytes
from gpt2forge.remote.blob import SourceDamaged
from gpt2forge.remote.blob_tree import make_blob_tree
from gpt2forge.remote.entry import Entry, make_entry, parse_entry
from gpt2forge.remote.pull import pull_artifact
from gpt2forge.remote.push import push_entry
from gpt2forge.remote.reach import OF_ONE_BLOB, Reach
from gpt2forge.remote.signing import Signer, Verify
from gpt2forge.stages.stage import Advance
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store


@dataclass
class Remote:
    """The levels behind a store. `signer` is None if nothing is pushed. `entries` are those asked for already."""

    reaches: Sequence[Reach]
    trusted: Mapping[str, Verify]
    signer: Signer | None
    warn: Callable[[str], None]
    entries: dict[tuple[str, str], Entry | None] = field(default_factory=dict)

    def find(self, stage: str, key: str) -> Entry | None:
        """Return the entry of a step from the first level that has a trusted one."""
        found = (self.find_at(reach, stage, key) for reach in self.reaches)
        return next((entry for entry in found if entry), None)

    def find_at(self, reach: Reach, stage: str, key: str) -> Entry | None:
        """Return the trusted entry of a step that a level has. Each level is asked once."""
        subject = (reach.name, key)
        if subject not in self.entries:
            data = reach.ask(partial(reach.level.read_entry, key), None)
            self.entries[subject] = self.check(data, stage, key)
        return self.entries[subject]

    def check(self, data: bytes | None, stage: str, key: str) -> Entry | None:
        """Return an entry if it may be used; an unsigned, foreign or damaged one counts as none."""
        try:
            return parse_entry(data, stage=stage, key=key, trusted=self.trusted) if data else None
        except ValueError:
            return None

    def pull(self, record: Record, store: Store, advance: Advance) -> str | None:
        """Bring the artifact of a record into the store; return the name of the level that had it.

        The caller holds the lock of the record's key. Levels before that one get the artifact too.
        """
        for place, reach in enumerate(self.reaches):
            entry = self.find_at(reach, record.stage, record.key)
            if entry is None or entry.record.digest != record.digest:
                continue
            try:
                is_here = reach.ask(partial(self.pull_from, reach, entry, store, advance), False)
            except OF_ONE_BLOB:
                continue
            if is_here:
                note_pushed(reach, record, store)
                self.fill(self.reaches[:place], entry, store)
                return reach.name
        return None

    def pull_from(self, reach: Reach, entry: Entry, store: Store, advance: Advance) -> bool:
        pull_artifact(reach, entry.tree, store, entry.record.key, advance)
        return True

    def fill(self, reaches: Sequence[Reach], entry: Entry, store: Store) -> None:
        """Write an entry, as it was signed, and its blobs to levels that lack it."""
        for reach in reaches:
            if reach.is_writable:
                self.try_to_push(reach, entry, store, is_asked_for=self.signer is not None)

    def push(self, reach: Reach, record: Record, store: Store) -> int | None:
        """Sign a record and write it and its artifact to a level.

        Return how many bytes were written; None if the level failed, or a file of the artifact is damaged.
        """
        if self.signer is None or not reach.is_writable:
            return None
        manifest = store.artifacts.read_manifest(record.digest)
        tree = make_blob_tree(manifest, store.artifacts.folder(record.digest).joinpath)
        entry = make_entry(record, tree, self.signer)
        return self.try_to_push(reach, entry, store, is_asked_for=True)

    def try_to_push(self, reach: Reach, entry: Entry, store: Store, *, is_asked_for: bool) -> int | None:
        push = partial(push_entry, reach, entry, store, self.trusted)
        try:
            sent = reach.write(push, None, is_asked_for=is_asked_for)
        except SourceDamaged as error:
            self.warn(str(error))
            return None
        if sent is not None:
            note_pushed(reach, entry.record, store)
        return sent


def note_pushed(reach: Reach, record: Record, store: Store) -> None:
    """Remember that a level has the artifact of a record, so that later builds need not ask it."""
    store.stat_cache.remember(name_pushed(reach.name, record.key), record.digest)


def name_pushed(level: str, key: str) -> str:
    return digest_bytes(f"pushed {level} {key}".encode())
