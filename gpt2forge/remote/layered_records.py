"""Records of a store that learns from its levels what it does not know itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gpt2forge.store.artifacts import Artifacts
from gpt2forge.store.record_index import Index
from gpt2forge.store.records import Record, Records


@dataclass(frozen=True)
class LayeredRecords:
    """The records of a store, `local`; `find_remote` asks the levels for one that is missing.

    A record that was learned is kept, and its artifact counts as evicted: known, but not here.
    """

    local: Records
    artifacts: Artifacts
    find_remote: Callable[[str, str], Record | None]

    def find(self, stage: str, key: str) -> Record | None:
        return self.local.find(stage, key) or self.learn(stage, key)

    def learn(self, stage: str, key: str) -> Record | None:
        record = self.find_remote(stage, key)
        if record:
            self.artifacts.note_absent(record.digest)
            self.local.write(record)
        return record

    def list(self, stage: str) -> Sequence[Record]:
        return self.local.list(stage)

    def index(self, stage: str) -> Index:
        return self.local.index(stage)

    def write(self, record: Record) -> None:
        self.local.write(record)
