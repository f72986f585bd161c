"""How much of the machine a run may take."""

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
GROUP = Path("/proc/self/cgroup")
UNBOUND = 1 << 60  # a limit above this is none


@dataclass(frozen=True)
class Means:
    """Steps that run at once: how many, and bytes of anonymous memory that they take together.

    A step that needs more than that all the same runs, alone.
    """

    jobs: int
    memory: int


def count_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_memory() -> int:
    """Bytes that this process and its children may have: of the machine, or of the control groups they are in.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#memory
    """
    limits = (read_number(folder / "memory.max") for folder in list_groups())
    return min([psutil.virtual_memory().total, *(limit for limit in limits if limit and limit < UNBOUND)])


def list_groups() -> list[Path]:
    """The folder of this process's control group and those above it."""
    try:
        name = GROUP.read_text().partition("0::/")[2].partition("\n")[0]
    except OSError:
        return []
    group = CGROUPS / name
    return [folder for folder in (group, *group.parents) if folder.is_relative_to(CGROUPS)]


def read_number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max" where there is no limit
        return None
