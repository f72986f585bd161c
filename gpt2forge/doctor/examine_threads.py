"""Threads: the processors that this process may use, by its affinity and by the quota of its control groups."""

import os
from collections.abc import Iterator
from pathlib import Path

from gpt2forge.doctor.examination import Examination, Finding
from gpt2forge.executor.resources import CGROUPS, GROUP, list_groups
from gpt2forge.processors import count_cores, count_threads

BUSY = 0.5  # of the processors; more load from others shows in measured times
NEAR = 0.95  # of a whole processor; a quota below the number of threads by less than this is rounding


def examine_threads() -> Examination:
    """Count processors and compare them with the quota, the machine and the load."""
    return describe_threads(
        threads=count_threads(),
        cores=count_cores(),
        machine=os.cpu_count() or 1,
        quota=find_quota(),
        load=os.getloadavg()[0],
    )


def describe_threads(*, threads: int, cores: int, machine: int, quota: float | None, load: float) -> Examination:
    """Return the examination; `quota` is in processors, None without one; `load` is that of the last minute."""
    values = {"threads": threads, "cores": cores, "machine": machine, "quota": quota, "load": round(load, 2)}
    parts = [f"{threads} on {cores} cores"]
    parts += [f"of the machine's {machine}, by the affinity of this process"] if threads < machine else []
    parts += ["no quota" if quota is None else f"a quota of {quota:g} processors", f"load {load:.1f}"]
    findings = tuple(list_findings(threads, quota, load))
    return Examination("threads", values, ", ".join(parts), findings)


def list_findings(threads: int, quota: float | None, load: float) -> Iterator[Finding]:
    if quota is not None and quota < threads * NEAR:
        few = max(1, int(quota))
        yield Finding(
            "slow",
            f"{threads} threads share a quota of {quota:g} processors, and all wait for those that are held back",
            f"give whole processors (`docker run --cpuset-cpus=0-{few - 1}`, or `taskset -c 0-{few - 1}`), or use "
            f"`--threads {few}` in `generate`",
        )
    if load > max(1, threads * BUSY):
        yield Finding(
            "slow",
            f"other programs keep about {load:.1f} processors busy, so times that are measured now are too long",
            "wait until they end, then measure again: `gpt2forge build NAME --rerun benchmark`",
        )


def find_quota(folders: Iterator[Path] | None = None, group: Path = GROUP, root: Path = CGROUPS) -> float | None:
    """Return the least quota of this process's control groups in processors; None if there is none.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu and, for version 1,
    https://docs.kernel.org/scheduler/sched-bwc.html#management
    """
    places = list_groups() if folders is None else list(folders)
    limits = [read_v2(folder / "cpu.max") for folder in places]
    limits += [read_v1(folder) for folder in list_v1(group, root)]
    return min((limit for limit in limits if limit is not None), default=None)


def list_v1(group: Path, root: Path) -> Iterator[Path]:
    """Yield the folders of this process's group of the controller `cpu`, and of those above it."""
    for line in read(group).splitlines():
        _, controllers, name = (*line.split(":", 2), "", "")[:3]
        if "cpu" in controllers.split(","):
            for mount in (root / "cpu", root / controllers):
                folder = mount / name.lstrip("/")
                yield from (each for each in (folder, *folder.parents) if each.is_relative_to(mount))


def read_v2(path: Path) -> float | None:
    """Return the quota that `cpu.max` holds, as in `150000 100000`; None for `max`."""
    words = read(path).split()
    return divide(*words) if len(words) == 2 else None


def read_v1(folder: Path) -> float | None:
    return divide(read(folder / "cpu.cfs_quota_us"), read(folder / "cpu.cfs_period_us"))


def divide(quota: str, period: str) -> float | None:
    """Return microseconds of processor time in each period as processors; None for a quota that is none."""
    try:
        used, whole = int(quota), int(period)
    except ValueError:  # `max`, or a file that is not there
        return None
    return used / whole if used > 0 and whole > 0 else None


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
