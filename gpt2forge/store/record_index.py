"""An index of the records of a stage: what a search needs of each record, in one file beside them.

records/<stage>/index    lines of: crc32, key, created, seconds, digest, and each part of the pre-image

1. A line only saves reading its record. A record without a line is read, a line without its record counts as none, and
   whoever uses what it finds reads the record itself.
2. A line is appended in one write after its record was written. Of several lines of a key the newest record's counts.
3. Before a record is written again, a line that has the key alone withdraws the earlier ones. So a kill at any moment
   leaves no line that differs from its record.
4. A line that is cut off or damaged has another crc32 and counts as none.
5. A part that is long in JSON, such as the digests of all modules, is replaced by its own digest, because most records
   have the same.
"""

import io
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from gpt2forge.digest import canonical_json, digest_bytes
from gpt2forge.regular_file import open_regular, read_bytes
from gpt2forge.store.rights import share_file
from gpt2forge.store.stat_cache import DIGEST

NAME = "index"
LARGEST = 1 << 28  # bytes of an index
SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK  # follow no link that leads out of the store, and wait for no writer of a pipe
LONG = 400  # bytes of a part's JSON, above which its digest stands in a line
DIGESTED = "#"  # begins the digest of a long part
FEWEST, MOST_LINES = 1000, 4  # an index of more lines than FEWEST + MOST_LINES * records is removed, and made again


class IndexEntry(NamedTuple):
    """A record as the index has it; each of `parts` is `name=JSON`, or `name=#digest` of long JSON."""

    stage: str
    key: str
    created: float
    seconds: float
    digest: str
    parts: tuple[str, ...]


def format_parts(pre_image: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the parts of a pre-image as an entry has them."""
    return tuple(f"{escape(name)}={shorten(canonical_json(value))}" for name, value in sorted(pre_image.items()))


def escape(name: str) -> str:
    """Return a name as JSON writes it, without the quotes: a record that somebody made up may have any."""
    return canonical_json(name).decode()[1:-1]


def shorten(text: bytes) -> str:
    return text.decode() if len(text) <= LONG else DIGESTED + digest_bytes(text)


def format_line(entry: IndexEntry) -> str:
    """Return the line of an entry. JSON holds no tabs and no ends of lines."""
    return "\t".join((entry.key, repr(entry.created), repr(entry.seconds), entry.digest, *entry.parts))


def append_lines(folder: Path, lines: Iterable[str]) -> None:
    """Append lines in one write, which begins on a line of its own even after one that was cut off."""
    data = b"\n" + b"".join(b"%08x %b\n" % (crc32(line.encode()), line.encode()) for line in lines)
    descriptor = os.open(folder / NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT | SAFELY, 0o666)
    try:
        if os.fstat(descriptor).st_size == 0:
            share_file(folder / NAME)
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def withdraw(folder: Path, key: str) -> None:
    """Withdraw the line of a record that is about to be written again; remove the index if that fails (rule 3)."""
    try:
        if (folder / NAME).exists():
            append_lines(folder, [key])
    except OSError:
        with suppress(OSError):
            (folder / NAME).unlink()


def read_index(folder: Path) -> dict[str, IndexEntry]:
    """Return the entries of an index by key; empty if there is none, or if it has too many lines."""
    entries: dict[str, IndexEntry] = {}
    lines = read_lines(folder)
    for line in lines:
        with suppress(ValueError):  # no version of ours wrote this line
            take_line(line, folder.name, entries)
    return {} if len(lines) > FEWEST + MOST_LINES * len(entries) else entries


def take_line(line: str, stage: str, entries: dict[str, IndexEntry]) -> None:
    """Add the entry of a line, unless a newer one of its key is there; or withdraw the entry of a key (rule 3)."""
    key, *fields = line.split("\t")
    if not fields:
        entries.pop(key, None)
        return
    created, seconds, digest, *parts = fields
    entry = IndexEntry(stage, key, float(created), float(seconds), digest, tuple(parts))
    if key not in entries or entries[key].created <= entry.created:
        entries[key] = entry


def read_lines(folder: Path) -> list[str]:
    """Return the lines that are whole (rule 4)."""
    data = read_file(folder / NAME)
    lines = [line for line in data.split(b"\n") if line[:8] == b"%08x" % crc32(line[9:])]
    return [line[9:].decode(errors="replace") for line in lines]


def read_file(path: Path) -> bytes:
    """Return the content of an index; nothing if it is no regular file, or a file that no build makes so large."""
    try:
        with io.FileIO(open_regular(path, os.O_RDONLY | os.O_NOFOLLOW)) as file:
            data = read_bytes(file, LARGEST + 1)
    except OSError:
        return b""
    return data if len(data) <= LARGEST else b""


def list_keys(folder: Path) -> set[str]:
    """List the keys of all records in a folder."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 (a Path for each of 20,000 names takes a second)
    except OSError:
        return set()
    found = {name.removesuffix(".json") for name in names if name.endswith(".json")}
    return {key for key in found if DIGEST.fullmatch(key)}


def parse_part(part: str) -> tuple[str, Any]:
    """Return the name and the value of a part; None for the value of a long one, which only the record has."""
    name, _, text = part.partition("=")
    try:
        return name, None if text.startswith(DIGESTED) else json.loads(text)
    except (ValueError, RecursionError):
        return name, None
