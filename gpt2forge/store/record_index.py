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
6. Lines are checked and compared as bytes, at the speed of C, and made entries only where a search needs them: making
   20,000 entries takes longer than all else that a plan does.
"""

import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from gpt2forge.digest import canonical_json, digest_bytes
from gpt2forge.regular_file import open_regular, read_bytes
from gpt2forge.store.rights import share_file

NAME = "index"
LARGEST = 1 << 28  # bytes of an index
SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK  # follow no link that leads out of the store, and wait for no writer of a pipe
LONG = 400  # bytes of a part's JSON, above which its digest stands in a line
DIGESTED = "#"  # begins the digest of a long part
KEY = 64  # bytes at the start of a line
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


def parse_lines(lines: Iterable[bytes], stage: str) -> Iterator[IndexEntry]:
    """Yield the entries of lines, without those that no version of ours wrote."""
    for line in lines:
        with suppress(ValueError):
            key, created, seconds, digest, *parts = line.decode(errors="replace").split("\t")
            yield IndexEntry(stage, key, float(created), float(seconds), digest, tuple(parts))


@dataclass(frozen=True)
class Index:
    """The records of a stage: a line of each by its key, in the order in which the lines were appended."""

    stage: str
    lines: Mapping[bytes, bytes]

    def list_all(self) -> list[IndexEntry]:
        """Return the entries of all records."""
        return list(parse_lines(self.lines.values(), self.stage))

    def list_newest(self, most: int, before: float = math.inf) -> Sequence[IndexEntry]:
        """Return the entries of the records that were added last, at most so many; only those created before a time."""
        entries = parse_lines(reversed([*self.lines.values()]), self.stage)
        return list(islice((entry for entry in entries if entry.created < before), most))

    def list_alike(self, parts: Sequence[str], but: str) -> Iterator[IndexEntry]:
        """Yield the entries of all records with just these parts, but for the part of one name; those added last first.

        Raises ValueError if that part is not among `parts`.
        """
        place = [part.partition("=")[0] for part in parts].index(but)
        same = (tuple(parts[:place]), tuple(parts[place + 1 :]))
        end = "".join(f"\t{part}" for part in same[1]).encode()
        likely = [line for line in self.lines.values() if line.endswith(end)]
        for entry in parse_lines(reversed(likely), self.stage):
            if (entry.parts[:place], entry.parts[place + 1 :]) == same and entry.parts[place].startswith(f"{but}="):
                yield entry


def make_index(stage: str, entries: Iterable[IndexEntry]) -> Index:
    """Make the index of records that have no lines yet."""
    return Index(stage, {entry.key.encode(): format_line(entry).encode() for entry in entries})


def read_index(folder: Path) -> Index:
    """Read the index of the stage that a folder is named after; empty if there is none, or if it has too many lines."""
    lines = read_lines(folder)
    chosen = {line[:KEY]: line for line in lines}
    if len(chosen) < len(lines):
        chosen = choose_lines(lines)
    kept = {key: line for key, line in chosen.items() if key != line}
    return Index(folder.name, {} if len(lines) > FEWEST + MOST_LINES * len(kept) else kept)


def choose_lines(lines: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the line that counts of each key, in the order of these lines."""
    chosen: dict[bytes, bytes] = {}
    for line in lines:
        key = line[:KEY]
        # The last line of a key is taken out first, so that the order is that of the lines that count.
        chosen[key] = choose_line(chosen.pop(key), line) if key in chosen else line
    return chosen


def choose_line(earlier: bytes, later: bytes) -> bytes:
    """Return which of two lines of a key counts: the newer record's, unless one withdraws the other (rules 2 and 3)."""
    if len(earlier) == KEY or len(later) == KEY:
        return later
    return max(later, earlier, key=read_created)  # the first of two that are equal


def read_created(line: bytes) -> float:
    """Return when the record of a line was created; a line that no version of ours wrote is the oldest."""
    try:
        return float(line.split(b"\t", 2)[1])
    except ValueError:
        return -math.inf


def read_lines(folder: Path) -> list[bytes]:
    """Return the lines that are whole (rule 4), without their checksums."""
    lines = read_file(folder / NAME).split(b"\n")
    return [body for line in lines if line[:8] == b"%08x" % crc32(body := line[9:])]


def read_file(path: Path) -> bytes:
    """Return the content of an index; nothing if it is no regular file, or a file that no build makes so large."""
    try:
        with io.FileIO(open_regular(path, os.O_RDONLY | os.O_NOFOLLOW)) as file:
            data = read_bytes(file, LARGEST + 1)
    except OSError:
        return b""
    return data if len(data) <= LARGEST else b""


def list_keys(folder: Path) -> set[bytes]:
    """List the keys of all records in a folder."""
    try:
        names = os.listdir(os.fsencode(folder))  # noqa: PTH208 (a Path for each of 20,000 names takes a second)
    except OSError:
        return set()
    return {name[:KEY] for name in names if name[KEY:] == b".json"}


def parse_part(part: str) -> tuple[str, Any]:
    """Return the name and the value of a part; None for the value of a long one, which only the record has."""
    name, _, text = part.partition("=")
    try:
        return name, None if text.startswith(DIGESTED) else json.loads(text)
    except (ValueError, RecursionError):
        return name, None
