"""The part of the machine that a run may use."""

import os
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
GROUP = Path("/proc/self/cgroup")
UNBOUND = 1 << 60  # bytes; a higher limit is no limit


@dataclass(frozen=True)
class Resources:
    """Limits on the steps that run at once: their number, and their anonymous memory together, in bytes.

    A step that needs more memory than that runs alone.
    """

    jobs: int
    memory: int


def find_memory() -> int:
    """Return the bytes that this process and its children may use, by the machine and by its control groups.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#memory
    """
    limits = (read_number(folder / "memory.max") for folder in list_groups())
    return min(
        [
            os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            *(limit for limit in limits if limit and limit < UNBOUND),
        ]
    )


def list_groups() -> list[Path]:
    """List the folder of this process's control group and those above it."""
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
