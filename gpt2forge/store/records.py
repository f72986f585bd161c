"""Records: from a step's key to the digest of its artifact, with the key's pre-image and what the step took."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol

from gpt2forge.digest import canonical_json, digest_bytes, digest_value
from gpt2forge.regular_file import read_whole
from gpt2forge.store.atomic import is_folder, put_aside, write_whole
from gpt2forge.store.record_index import (
    NAME,
    Index,
    IndexEntry,
    append_lines,
    format_line,
    format_parts,
    list_keys,
    make_index,
    read_index,
    withdraw,
)
from gpt2forge.store.rights import make_folder
from gpt2forge.store.stat_cache import DIGEST

LARGEST = 1e300  # of any number: no float holds much more
PreImage = Mapping[str, Any]
"""Everything that decides the result of a step, as JSON: see gpt2forge.plan.key."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One step that was made. It is written last, and makes its artifact exist.

    `seconds` is wall-clock time, `peak_memory_bytes` anonymous memory, `created` seconds since 1970. `bytes_read` and
    `bytes_written` are None in a record of an earlier version.
    """

    key: str
    stage: str
    pre_image: PreImage
    digest: str
    metrics: Mapping[str, Any]
    seconds: float
    peak_memory_bytes: int
    created: float
    bytes_read: int | None = None
    bytes_written: int | None = None

    @property
    def entry(self) -> IndexEntry:
        """This record as the index has it."""
        return IndexEntry(
            self.stage, self.key, float(self.created), float(self.seconds), self.digest, format_parts(self.pre_image)
        )

    def to_bytes(self) -> bytes:
        """Return JSON that carries its own digest, so that a damaged record counts as none."""
        body = canonical_json(asdict(self))
        return b'%b%b,"sha256":"%b"}' % (HEAD, body, digest_bytes(body).encode())


HEAD, TAIL = b'{"record":', len(b',"sha256":""}') + 64
"""The bytes before the body of a record, and how many there are behind it."""
KNOWN = {field.name for field in fields(Record)}


class Records(Protocol):
    """The records of a store. They outlive the artifacts that they name."""

    def find(self, stage: str, key: str) -> Record | None:
        """Return the record of a step, whether its artifact still exists or not."""

    def list(self, stage: str) -> Sequence[Record]:
        """Return all records of a stage, newest first."""

    def index(self, stage: str) -> Index:
        """Return what a search needs of all records of a stage, without reading each."""

    def write(self, record: Record) -> None:
        """Keep a record, in place of any earlier one of its key."""


@dataclass(frozen=True)
class LocalRecords:
    """Records in the folder of a store, a file each: records/<stage>/<key>.json.

    If `is_read_only`, an index that lacks records is left as it is.
    """

    root: Path
    is_read_only: bool = False

    def find(self, stage: str, key: str) -> Record | None:
        record = read_record(self.place(stage, key))
        return record if record and record.key == key else None

    def list(self, stage: str) -> Sequence[Record]:
        found = [read_record(path) for path in (self.root / "records" / stage).glob("*.json")]
        return sorted((record for record in found if record), key=lambda record: -record.created)

    def index(self, stage: str) -> Index:
        """Read the index of a stage and the records that it lacks, and add these to it, the newest last."""
        folder = self.root / "records" / stage
        known, keys = read_index(folder).lines, list_keys(folder)
        names = map(os.fsdecode, keys - known.keys())
        lacking = [self.find(stage, name) for name in names if DIGEST.fullmatch(name)]
        added = sorted((record.entry for record in lacking if record), key=lambda entry: entry.created)
        if added and not self.is_read_only:
            self.extend_index(folder, added, is_new=not known)
        there = known if known.keys() <= keys else {key: line for key, line in known.items() if key in keys}
        return Index(stage, {**there, **make_index(stage, added).lines} if added else there)

    def extend_index(self, folder: Path, entries: Sequence[IndexEntry], *, is_new: bool = False) -> None:
        """Add entries to an index, which only saves time: a full disk or another user's folder may prevent it."""
        with suppress(OSError):
            if is_new:
                (folder / NAME).unlink(missing_ok=True)
            append_lines(folder, map(format_line, entries))

    def write(self, record: Record) -> None:
        """Write a record; a folder that stands in its place is put aside."""
        path = self.place(record.stage, record.key)
        if is_folder(path):
            put_aside(path, self.root / "damaged")
        make_folder(path.parent, self.root)
        if path.exists():
            withdraw(path.parent, record.key)
        write_whole(path, record.to_bytes())
        self.extend_index(path.parent, [record.entry])

    def place(self, stage: str, key: str) -> Path:
        return self.root / "records" / stage / f"{key}.json"


def read_record(path: Path) -> Record | None:
    try:
        return parse_record(read_whole(path))
    except OSError:
        return None


def parse_record(data: bytes) -> Record | None:
    """Check a record that was read from disk; return None if it is damaged."""
    try:
        value = json.loads(data)
        body = value["record"]
        record = Record(**{name: body[name] for name in KNOWN & body.keys()})  # a later version may add fields
        words = (record.key, record.stage, record.digest)
        numbers = (record.seconds, record.created, record.bytes_read or 0, record.bytes_written or 0)
        is_ours = all(isinstance(word, str) for word in words)
        is_ours = is_ours and all(isinstance(one, int | float) and abs(one) < LARGEST for one in numbers)
        is_ours = is_ours and DIGEST.fullmatch(record.digest) is not None  # it becomes part of a path
        is_ours = is_ours and isinstance(record.pre_image, dict) and isinstance(record.metrics, dict)
        return record if is_ours and value["sha256"] in list_digests(data, body) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def list_digests(data: bytes, body: Any) -> Iterator[str]:
    """Yield the digest of a body as it was written, and for a record that another version wrote, of its canonical form.

    The first takes a tenth of the time, and a plan reads thousands of records.
    """
    if data.startswith(HEAD):
        yield digest_bytes(data[len(HEAD) : -TAIL])
    yield digest_value(body)
