"""Counts the processors and cores that this process may use, by its affinity and its control groups' quotas."""

import functools
import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path

PROCESSORS = Path("/sys/devices/system/cpu")
CGROUPS = Path("/sys/fs/cgroup")
GROUPS = Path("/proc/self/cgroup")


def choose_threads() -> int:
    """Return how many threads compute fastest: one for each core that is allowed, but no more than the quota lets run.

    Two threads on one of two processors took 1.6 to 1.9 times as long as one.
    """
    return max(1, ceil(min(count_cores(), find_quota())))


def count_threads() -> int:
    """Return how many processors this process may use; two threads of a core are two."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_cores() -> int:
    """Return how many cores the processors that this process may use are on."""
    if not hasattr(os, "sched_getaffinity"):
        return count_threads()
    return len({read_siblings(processor) for processor in os.sched_getaffinity(0)})


@functools.cache
def read_siblings(processor: int) -> str:
    """Return the processors on the core of one, as Linux lists them; itself if they are not known."""
    try:
        return (PROCESSORS / f"cpu{processor}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(processor)


def find_quota(groups: Path = GROUPS, mount: Path = CGROUPS) -> float:
    """Return how many processors the control groups of this process, and those above, let it keep busy.

    Infinite without a limit. https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
    """
    return min((read_quota(folder) for folder in list_groups(groups, mount)), default=float("inf"))


def list_groups(groups: Path, mount: Path) -> Iterator[Path]:
    """Yield the folders of the groups that limit processor time, and of those above: of version 2, then of version 1.

    In a container the names may be those outside, whose folders are not there; then the top folder is its own group.
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = mount / controllers if controllers else mount
        folder = top / name.lstrip("/")
        yield from (each for each in (folder, *folder.parents) if each.is_relative_to(top))


def read_quota(folder: Path) -> float:
    """Return the processors that one group may keep busy; infinite if it has no limit."""
    try:
        quota, period = read_limit(folder)
    except (OSError, ValueError):
        return float("inf")
    return quota / period if quota > 0 and period > 0 else float("inf")


def read_limit(folder: Path) -> tuple[int, int]:
    """Return the microseconds of processor time in each period of microseconds. Raises ValueError for `max`."""
    if (folder / "cpu.max").is_file():
        quota, _, period = (folder / "cpu.max").read_text().partition(" ")
        return int(quota), int(period or 100_000)
    return int((folder / "cpu.cfs_quota_us").read_text()), int((folder / "cpu.cfs_period_us").read_text())
