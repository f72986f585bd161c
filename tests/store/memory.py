"""A store in memory, which shows that other levels than a local folder can stand behind the two protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpt2forge.digest import Written, digest_file
from gpt2forge.store.artifacts import NONE_WRITTEN
from gpt2forge.store.manifest import list_files, make_manifest
from gpt2forge.store.record_index import Index, make_index
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store


@dataclass(frozen=True)
class MemoryRecords:
    by_key: dict[tuple[str, str], Record] = field(default_factory=dict)

    def find(self, stage: str, key: str) -> Record | None:
        return self.by_key.get((stage, key))

    def list(self, stage: str) -> Sequence[Record]:
        return sorted((each for each in self.by_key.values() if each.stage == stage), key=lambda each: -each.created)

    def index(self, stage: str) -> Index:
        return make_index(stage, [record.entry for record in reversed(self.list(stage))])

    def write(self, record: Record) -> None:
        self.by_key[record.stage, record.key] = record


@dataclass(frozen=True)
class MemoryArtifacts:
    """The size of each artifact; None if it was evicted. Nothing in memory is ever damaged."""

    sizes: dict[str, int | None] = field(default_factory=dict)

    def folder(self, digest: str) -> Path:
        return Path("/nowhere", digest)

    def is_whole(self, digest: str) -> bool:
        return self.sizes.get(digest) is not None

    is_sound = is_whole

    def is_evicted(self, digest: str) -> bool:
        return digest in self.sizes and self.sizes[digest] is None

    def measure(self, digest: str) -> int:
        return self.sizes.get(digest) or 0

    def commit(self, folder: Path, written: Mapping[str, Written] = NONE_WRITTEN) -> str:
        manifest = make_manifest(folder, list_files(folder), digest_file)
        self.sizes[manifest.digest] = manifest.size
        return manifest.digest

    def evict(self, digest: str) -> None:
        self.sizes[digest] = None

    def clear_damaged(self, digest: str, every_byte: bool = False) -> None: ...


def make_memory_store() -> Store:
    return Store(Path("/nowhere"), is_read_only=True, records=MemoryRecords(), artifacts=MemoryArtifacts())
