"""A store with remote levels behind it. They are opened when one is needed for the first time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from gpt2forge.remote.address import RemoteAddress
from gpt2forge.remote.layered_records import LayeredRecords
from gpt2forge.remote.remote import Remote, name_pushed
from gpt2forge.stages.stage import Advance
from gpt2forge.store.records import Record
from gpt2forge.store.store import Pushed, Store


class RemoteStore(Store):
    """A store that learns records from its levels, and pulls the artifacts that a build needs.

    `origins` are the names of the levels from which artifacts were pulled, and `missing` those that no level has, both
    by the key of the step.
    """

    has_remote = True

    def __init__(
        self, root: Path, addresses: Sequence[RemoteAddress], open_remote: Callable[[], Remote], *, can_push: bool
    ) -> None:
        super().__init__(root)
        self.records = LayeredRecords(self.records, self.artifacts, self.find_remote)
        self.addresses, self.open_remote, self.can_push = addresses, open_remote, can_push
        self.origins: dict[str, str] = {}
        self.missing: set[str] = set()

    @cached_property
    def remote(self) -> Remote:
        """The levels."""
        return self.open_remote()

    def find_remote(self, stage: str, key: str) -> Record | None:
        """Return the record of a step from the first level that has it."""
        entry = self.remote.find(stage, key)
        return entry.record if entry else None

    def can_restore(self, stage: str, key: str) -> bool:
        record = self.records.find(stage, key)
        return record is not None and key not in self.missing and not self.artifacts.is_whole(record.digest)

    def restore(self, stage: str, key: str, advance: Advance) -> Record | None:
        record = self.records.find(stage, key)
        if record is None or key in self.missing:
            return None
        level = self.remote.pull(record, self, advance)
        if level is None or not self.artifacts.is_whole(record.digest):
            self.missing.add(key)
            return None
        self.origins[key] = level
        return record

    def describe_origin(self, key: str) -> str:
        return f"pulled from {self.origins[key]}" if key in self.origins else ""

    def push(self, steps: Iterable[tuple[str, str]]) -> list[Pushed]:
        if not self.can_push:
            return []
        found = [record for step in steps if (record := self.find(*step))]
        wanted = {address.name: list(self.list_unpushed(address, found)) for address in self.addresses}
        return [self.push_to(name, records) for name, records in wanted.items() if records]

    def list_unpushed(self, address: RemoteAddress, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records that this store has not written to a level yet, nor taken from it."""
        for record in records if not address.is_read_only else ():
            known = self.stat_cache.recall(name_pushed(address.name, record.key))
            if known != record.digest or record.key in self.missing:
                yield record

    def push_to(self, name: str, records: Sequence[Record]) -> Pushed:
        """Write records and their artifacts to a level."""
        reaches = [reach for reach in self.remote.reaches if reach.name == name]
        sent = [self.remote.push(reach, record, self) for reach in reaches for record in records]
        done = [count for count in sent if count is not None]
        return Pushed(name, len(done), sum(done), len(records) - len(done))
