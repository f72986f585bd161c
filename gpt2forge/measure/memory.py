"""The memory of a process and its children: anonymous, what they really hold, and mapped, what they see of files.

Linux says it in /proc (proc_pid_status(5), proc_pid_tid_children(5)); elsewhere psutil's unique set size comes nearest.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PROC = Path("/proc")
IS_LINUX = (PROC / "self/status").exists()


@dataclass(frozen=True)
class Memory:
    """Bytes."""

    anonymous: int
    mapped: int


def measure_anonymous(pid: int) -> int:
    """Bytes of anonymous memory of a process tree now; a process that has gone counts nothing."""
    if IS_LINUX:
        return sum(read_memory(member).anonymous for member in list_tree(pid))
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return sum(int(member.memory_full_info().uss) for member in (process, *process.children(recursive=True)))
    return 0


def list_tree(pid: int) -> Iterator[int]:
    """A process and all its descendants. Asked every few milliseconds, so it does not go through all processes."""
    yield pid
    with suppress(OSError):
        for thread in (PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                for child in (thread / "children").read_text().split():
                    yield from list_tree(int(child))


def read_own(pid: int) -> Memory:
    """What one process holds now; where Linux does not say it, its unique set and the rest of what is resident."""
    if IS_LINUX:
        return read_memory(pid)
    with suppress(psutil.Error):
        found = psutil.Process(pid).memory_full_info()
        return Memory(int(found.uss), max(0, int(found.rss - found.uss)))
    return Memory(0, 0)


def read_memory(pid: int) -> Memory:
    """What one process holds now, as Linux counts it."""
    kilobytes = {"RssAnon": 0, "RssFile": 0}
    with suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in kilobytes:
                kilobytes[name] = int(rest.split()[0])
    return Memory(1024 * kilobytes["RssAnon"], 1024 * kilobytes["RssFile"])
