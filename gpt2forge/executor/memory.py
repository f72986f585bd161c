"""The anonymous memory of a process and its children: what they really hold, without mapped files."""

from pathlib import Path

import psutil

PROC = Path("/proc")


def measure_anonymous(pid: int) -> int:
    """Bytes of anonymous memory (RssAnon) of a process tree now; a process that has gone counts nothing."""
    try:
        process = psutil.Process(pid)
        tree = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(measure_one(member) for member in tree)


def measure_one(process: psutil.Process) -> int:
    """Linux says it in /proc; elsewhere the memory that only this process holds comes nearest."""
    try:
        if PROC.joinpath("self", "status").exists():
            status = PROC.joinpath(str(process.pid), "status").read_text()
            return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon:")), 0)
        return int(process.memory_full_info().uss)
    except (OSError, psutil.Error):
        return 0
