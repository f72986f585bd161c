"""The anonymous memory of a process and its children: what they really hold, without mapped files.

Linux says it in /proc (proc_pid_status(5), proc_pid_tid_children(5)); elsewhere psutil's unique set size comes nearest.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

PROC = Path("/proc")
IS_LINUX = (PROC / "self/status").exists()


def measure_anonymous(pid: int) -> int:
    """Bytes of anonymous memory of a process tree now; a process that has gone counts nothing."""
    if IS_LINUX:
        return sum(read_anonymous(member) for member in list_tree(pid))
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


def read_anonymous(pid: int) -> int:
    with suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0
