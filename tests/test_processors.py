"""Threads are counted by affinity, cores and quotas; the files are those that Linux has."""

import os
from pathlib import Path

import pytest

from gpt2forge.processors import choose_threads, count_cores, count_threads, find_quota

NAMES = {
    "v2": ("0::/a/b\n", {"a/cpu.max": "150000 100000\n", "a/b/cpu.max": "max 100000\n"}, 1.5),
    "v2 nearest": ("0::/a/b\n", {"a/cpu.max": "800000 100000\n", "a/b/cpu.max": "50000 100000\n"}, 0.5),
    "v2 in a container": ("0::/\n", {"cpu.max": "200000 100000\n"}, 2.0),
    "v2 seen from outside": ("0::/../elsewhere\n", {"cpu.max": "200000 100000\n"}, 2.0),
    "v1": (
        "5:memory:/a\n4:cpu,cpuacct:/a\n",
        {"cpu,cpuacct/a/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n"},
        3.0,
    ),
    "v1 without a limit": (
        "4:cpu:/a\n",
        {"cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"},
        float("inf"),
    ),
    "damaged": ("0::/a\n", {"a/cpu.max": "much\n", "cpu.max": "1 0\n"}, float("inf")),
    "none": ("0::/a\n", {}, float("inf")),
}


@pytest.mark.parametrize("case", NAMES)
def test_quota_is_the_least_of_the_groups(tmp_path: Path, case: str) -> None:
    text, files, quota = NAMES[case]
    (tmp_path / "cgroup").write_text(text)
    for name, content in files.items():
        path = tmp_path / "mount" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert find_quota(tmp_path / "cgroup", tmp_path / "mount") == quota


def test_without_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert find_quota(tmp_path / "none", tmp_path) == float("inf")


def test_there_is_at_least_one_thread_and_no_more_than_processors() -> None:
    assert 1 <= choose_threads() <= count_cores() <= count_threads()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs affinity")
def test_affinity_counts(all_processors: None) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert choose_threads() == count_cores() == count_threads() == 1
    finally:
        os.sched_setaffinity(0, before)
