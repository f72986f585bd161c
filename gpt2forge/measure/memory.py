"""The memory of a process and its children: anonymous, which they alone hold, and mapped from files.

Linux lists both in /proc (proc_pid_status(5), proc_pid_tid_children(5)); elsewhere psutil's unique set size is nearest.
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
    """Memory of a process, in bytes."""

    anonymous: int
    mapped: int


def measure_anonymous(pid: int) -> int:
    """Return the anonymous memory (bytes) of a process tree now; a process that has ended counts as 0."""
    if IS_LINUX:
        return sum(read_memory(member).anonymous for member in list_tree(pid))
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return sum(int(member.memory_full_info().uss) for member in (process, *process.children(recursive=True)))
    return 0


def list_tree(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants.

    This runs every few milliseconds, so it does not walk through all processes of the machine as psutil does.
    """
    yield pid
    with suppress(OSError):
        for thread in (PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                for child in (thread / "children").read_text().split():
                    yield from list_tree(int(child))


def read_own(pid: int) -> Memory:
    """Return the memory of one process now; outside Linux, its unique set and the rest of its resident set."""
    if IS_LINUX:
        return read_memory(pid)
    with suppress(psutil.Error):
        found = psutil.Process(pid).memory_full_info()
        return Memory(int(found.uss), max(0, int(found.rss - found.uss)))
    return Memory(0, 0)


def read_memory(pid: int) -> Memory:
    """Return the memory of one process now, as Linux counts it."""
    kilobytes = {"RssAnon": 0, "RssFile": 0}
    with suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in kilobytes:
                kilobytes[name] = int(rest.split()[0])
    return Memory(1024 * kilobytes["RssAnon"], 1024 * kilobytes["RssFile"])
