"""What was computed from a file's bytes, remembered by the file's stat.

An entry is named by (dev, inode, size, mtime_ns, ctime_ns), so any change of these means computing again, and no entry
is ever wrong about another file. A file that changed so recently that a further change might leave its stat as it is
(a clock tick is coarse) is not remembered: git's racy-timestamp guard, https://git-scm.com/docs/racy-git.
"""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from gpt2forge.digest import Written, digest_bytes, digest_file, digest_value
from gpt2forge.errors import UserError
from gpt2forge.store.atomic import replace_text

TICK = 20_000_000  # ns; two ticks of a kernel clock that runs at 100 Hz
DIGEST = re.compile("[0-9a-f]{64}")
COARSE_TICK = 2_000_000_000  # ns; file systems that keep whole seconds


@dataclass(frozen=True)
class StatEntry:
    """The stat of a file, as far as a change of its content shows in it."""

    dev: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    def settles_in(self, now_ns: int) -> int:
        """How many ns after `now_ns` any write is sure to change this stat; 0 when that is so already."""
        tick = TICK if self.mtime_ns % 1_000_000_000 else COARSE_TICK
        return max(0, max(self.mtime_ns, self.ctime_ns) + tick - now_ns)


def read_stat(path: Path) -> StatEntry:
    found = path.stat()
    return StatEntry(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def settle(entry: StatEntry) -> bool:
    """Wait until any write is sure to change this stat; False, at once, where that would take too long."""
    wait = entry.settles_in(time.time_ns())
    if wait > TICK:
        return False
    time.sleep(wait / 1e9)
    return True


def name_file(entry: StatEntry) -> str:
    return digest_value(asdict(entry))


@dataclass(frozen=True)
class StatCache:
    """A folder of small files, each named by a digest of what it speaks of."""

    folder: Path

    def digest(self, path: Path, tell: Callable[[int], None] | None = None) -> str:
        """The sha256 of a file's content, read only if its stat is new; `tell` hears of the bytes that are read.

        Raises UserError when the file changes while it is being read.
        """
        before = read_stat(path)
        name = name_file(before)
        known = self.recall(name)
        if known is not None and DIGEST.fullmatch(known):
            return known
        is_settled = settle(before)
        digest = digest_file(path, tell)
        if read_stat(path) != before:
            raise UserError(f"{path}: changed while it was being read; build again when nothing writes to it")
        if is_settled:
            self.remember(name, digest)
        return digest

    def vouch(self, path: Path, written: Written) -> None:
        """Take a file's sha256 from whoever wrote it, if nobody wrote into it since."""
        entry = read_stat(path)
        if (entry.size, entry.mtime_ns) == (written.size, written.mtime_ns) and settle(entry):
            self.remember(name_file(entry), written.digest)

    def recall(self, name: str) -> str | None:
        """What was remembered under a name; None where that is not known, or the entry is not as it was written."""
        try:
            seal, _, text = self.place(name).read_text().partition("\n")
        except (OSError, UnicodeDecodeError):
            return None
        return text if seal == make_seal(name, text) else None

    def remember(self, name: str, text: str) -> None:
        """The cache saves time and no more: losing an entry in a crash, or on a full disk, is fine."""
        with suppress(OSError):
            replace_text(self.place(name), f"{make_seal(name, text)}\n{text}")

    def place(self, name: str) -> Path:
        return self.folder / name[:2] / name[2:]

    def place_of(self, path: Path) -> Path:
        """Where the entry of a file is, if it has one."""
        return self.place(name_file(read_stat(path)))


def make_seal(name: str, text: str) -> str:
    """What an entry begins with: a digit that flips would else name other bytes than those that were read."""
    return digest_bytes(f"{name} {text}".encode())
