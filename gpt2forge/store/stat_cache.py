"""The stat cache: results that were computed from a file's bytes, remembered by the file's stat.

The stat of a file, (dev, inode, size, mtime_ns, ctime_ns), names its entry. So any change of the stat means computing
again, and no entry is ever wrong about another file. A clock tick is coarse: a file that changed within the last tick
might change again without a change of its stat, and is not remembered. This is git's racy-timestamp guard,
https://git-scm.com/docs/racy-git.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from gpt2forge.digest import Written, digest_bytes, digest_open_file, digest_value
from gpt2forge.errors import UserError
from gpt2forge.regular_file import open_binary, read_bytes, read_whole
from gpt2forge.store.atomic import replace_text
from gpt2forge.store.rights import make_folder

TICK = 20_000_000  # ns; two ticks of a kernel clock that runs at 100 Hz
COARSE_TICK = 2_000_000_000  # ns; for file systems that keep whole seconds
DIGEST = re.compile("[0-9a-f]{64}")
SHORT = 12  # hexadecimal digits of a key or digest that people are shown
CHANGED = "changed while it was being read; build again when nothing writes to it"


@dataclass(frozen=True)
class StatEntry:
    """The part of a file's stat that shows a change of its content."""

    dev: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    def settles_in(self, now_ns: int) -> int:
        """Return in how many ns after `now_ns` every further write is sure to change this stat; 0 if it is already."""
        tick = TICK if self.mtime_ns % 1_000_000_000 else COARSE_TICK
        return max(0, max(self.mtime_ns, self.ctime_ns) + tick - now_ns)


@dataclass(frozen=True)
class Content:
    """The sha256 of a file, and its stat while it had these bytes."""

    digest: str
    stat: StatEntry


def read_stat(path: Path) -> StatEntry:
    return make_entry(path.stat())


def make_entry(found: os.stat_result) -> StatEntry:
    return StatEntry(
        dev=found.st_dev,
        inode=found.st_ino,
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
    )


def settle(entry: StatEntry) -> bool:
    """Wait until every further write is sure to change this stat; return False at once if that takes over a tick."""
    wait = entry.settles_in(time.time_ns())
    if wait > TICK:
        return False
    if wait:  # a sleep of no time gives the processor away, for milliseconds on a busy machine
        time.sleep(wait / 1e9)
    return True


@dataclass(frozen=True)
class Opened:
    """A file that is open, its stat, and whether every further write is sure to change that."""

    file: FileIO
    stat: StatEntry
    is_settled: bool


@contextmanager
def open_settled(path: Path) -> Iterator[Opened]:
    """Open a file to read. Raises UserError at the end if it changed meanwhile."""
    with open_binary(path) as file:
        before = make_entry(os.fstat(file.fileno()))
        yield Opened(file, before, settle(before))
        if make_entry(os.fstat(file.fileno())) != before:
            raise UserError(f"{path}: {CHANGED}")


def name_file(entry: StatEntry) -> str:
    return digest_value(vars(entry))


@dataclass(frozen=True)
class StatCache:
    """A folder of small files, each named by a digest of its subject.

    If `is_read_only`, the folder is left as it is: new entries are kept in memory, and end with this object.
    """

    folder: Path
    is_read_only: bool = False
    in_memory: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def digest(self, path: Path, advance: Callable[[int], None] | None = None) -> str:
        """Return the sha256 of a file. See `read`."""
        return self.read(path, advance).digest

    def read(self, path: Path, advance: Callable[[int], None] | None = None) -> Content:
        """Return the content of a file, which is read only if its stat is new; `advance` takes the bytes of each read.

        Raises UserError if the file changes while it is being read.
        """
        entry = read_stat(path)
        known = self.recall(name_file(entry))
        if known is not None and DIGEST.fullmatch(known):
            return Content(known, entry)
        return self.read_anew(path, advance)

    def read_anew(self, path: Path, advance: Callable[[int], None] | None) -> Content:
        """Read the file that is at a path now: the stat is of the open file, so no swap of the path mixes two files."""
        with open_settled(path) as opened:
            content = Content(digest_open_file(opened.file, advance), opened.stat)
        if opened.is_settled:
            self.remember(name_file(content.stat), content.digest)
        return content

    def read_start(self, path: Path, most: int) -> Content:
        """Return the digest of the first `most` bytes of a file, which are read each time; see `read`."""
        with open_settled(path) as opened:
            return Content(digest_bytes(read_bytes(opened.file, most)), opened.stat)

    def vouch(self, path: Path, written: Written) -> None:
        """Remember the sha256 that the writer of a file computed, unless the file was written to since."""
        entry = read_stat(path)
        if (entry.size, entry.mtime_ns) == (written.size, written.mtime_ns) and settle(entry):
            self.remember(name_file(entry), written.digest)

    def recall(self, name: str) -> str | None:
        """Return the text that was remembered under a name; None if there is none, or the entry is damaged."""
        if name in self.in_memory:
            return self.in_memory[name]
        try:
            seal, _, text = read_whole(self.place(name)).decode().partition("\n")
        except (OSError, UnicodeDecodeError):
            return None
        return text if seal == make_seal(name, text) else None

    def remember(self, name: str, text: str) -> None:
        """Keep a text under a name. An entry only saves time, so a crash or a full disk may lose it."""
        if self.is_read_only:
            self.in_memory[name] = text
            return
        with suppress(OSError):
            make_folder(self.place(name).parent, self.folder.parent)
            replace_text(self.place(name), f"{make_seal(name, text)}\n{text}")

    def place(self, name: str) -> Path:
        return self.folder / name[:2] / name[2:]

    def place_of(self, path: Path) -> Path:
        """Return the path of a file's entry, whether it has one or not."""
        return self.place(name_file(read_stat(path)))


def make_seal(name: str, text: str) -> str:
    """Return the digest that an entry begins with: without it, a flipped digit would name other bytes."""
    return digest_bytes(f"{name} {text}".encode())
