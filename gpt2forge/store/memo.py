"""What was computed from a file's bytes, remembered by the file's stat.

An entry is named by (dev, inode, size, mtime_ns, ctime_ns), so any change of these means computing again, and no entry is
ever wrong about another file. A file that changed so recently that a further change might leave its stat as it is (a clock
tick is coarse) is not remembered: git's racy-timestamp guard, https://git-scm.com/docs/racy-git.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.digest import digest_bytes, digest_file
from gpt2forge.errors import UserError

TICK = 20_000_000  # ns; two ticks of a kernel clock that runs at 100 Hz
COARSE_TICK = 2_000_000_000  # ns; file systems that keep whole seconds


@dataclass(frozen=True)
class Identity:
    """The stat of a file, as far as a change of its content shows in it."""

    dev: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    def is_settled(self, now_ns: int) -> bool:
        """Whether any write after `now_ns` would change this stat."""
        tick = TICK if self.mtime_ns % 1_000_000_000 else COARSE_TICK
        return max(self.mtime_ns, self.ctime_ns) + tick < now_ns


def identify(path: Path) -> Identity:
    found = os.stat(path)
    return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@dataclass(frozen=True)
class Memo:
    """A folder of one small file per known file."""

    folder: Path

    def digest(self, path: Path) -> str:
        """The sha256 of a file's content, read only if its stat is new.

        Raises UserError when the file changes while it is being read.
        """
        before = identify(path)
        entry = self.find_entry(before)
        try:
            known = entry.read_text()
            if len(known) == 64:
                return known
        except OSError:
            pass
        started = time.time_ns()
        digest = digest_file(path)
        if identify(path) != before:
            raise UserError(f"{path}: changed while it was being read; build again when nothing writes to it")
        if before.is_settled(started):
            self.remember(entry, digest)
        return digest

    def find_entry(self, identity: Identity) -> Path:
        name = digest_bytes(repr(identity).encode())
        return self.folder / name[:2] / name[2:]

    def remember(self, entry: Path, digest: str) -> None:
        """A memo saves time and no more: losing an entry in a crash, or on a full disk, is fine."""
        aside = entry.with_suffix(f".{os.getpid()}")
        try:
            entry.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(digest)
            aside.replace(entry)
        except OSError:
            aside.unlink(missing_ok=True)
