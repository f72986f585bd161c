"""A full disk, of bytes or of files, at any point of a build: one line, no damage, and the next build goes on."""

import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Note
from tests.faults.disks import enlarge, small_disk
from tests.faults.forge import Forge
from tests.faults.state import State, list_debris, read_tree, take_state
from tests.workshop import Workshop, make_workshop

pytestmark = pytest.mark.slow

PAGE = os.sysconf("SC_PAGE_SIZE")


def count_used(folder: Path) -> tuple[int, int]:
    """Return the number of bytes and files on a disk."""
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize, found.f_files - found.f_ffree


def test_toy_build_on_a_disk_of_every_size(
    tmp_path: Path, forge: Forge, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    with small_disk(tmp_path / "large", "size=1g,nr_inodes=100000") as disk:
        expected = forge.build(disk)
        files = read_tree(disk / "build/toy")
        size, inodes = count_used(disk)
    limits = [f"size={PAGE * pages},nr_inodes=100000" for pages in range(1, size // PAGE + 1)]
    limits += [f"size=1g,nr_inodes={count}" for count in range(2, inodes + 1)]
    failed = 0
    chosen = limits if rounds(6) >= 100 else draw.sample(limits, rounds(6))
    for limit in chosen:
        with small_disk(tmp_path / "small", limit) as disk:
            forge.begin(disk)
            code = forge.hear()
            assert code in (0, 1), limit
            failed += code
            enlarge(disk)
            found = forge.build(disk, collects=True)
            assert [made[1:] for made in found.values()] == [made[1:] for made in expected.values()], limit
            assert read_tree(disk / "build/toy") == files, limit
            assert list_debris(disk / "cache") == [], limit
    assert failed > len(chosen) // 4  # a lost entry of the stat cache is no failure
    note(
        "builds of toy stages on disks of every size, in bytes and in files; then with enough space",
        failed,
        "each ended in one line; each next build made the same keys and bytes",
    )


def test_real_build_on_a_disk_that_is_too_small(
    tmp_path: Path,
    built_once: Workshop,
    undisturbed: State,
    rounds: Callable[[int], int],
    draw: random.Random,
    note: Note,
) -> None:
    with small_disk(tmp_path / "large", "size=1g,nr_inodes=100000") as disk:
        shutil.copytree(built_once.folder, disk, symlinks=True, dirs_exist_ok=True)
        size, inodes = count_used(disk)
    limits = [f"size={draw.randrange(PAGE, size)},nr_inodes=100000" for _ in range(rounds(1))]
    limits += [f"size=1g,nr_inodes={draw.randrange(4, inodes)}" for _ in range(rounds(1) // 2)]
    # The last files that a build writes: records, the root of the output, the link, the report.
    limits += [f"size=1g,nr_inodes={inodes - few}" for few in range(1, 1 + min(rounds(1), 12))]
    failed = sum(build_on_small_disk(tmp_path / "small", limit, undisturbed) for limit in limits)
    assert failed >= rounds(1)
    note(
        "`build nano-cpu-int8` on disks of random sizes, in bytes and in files; then with enough space",
        failed,
        "each ended in one line and exit code 1 with a sound store; each next build made the same keys and bytes",
    )


def build_on_small_disk(folder: Path, limit: str, expected: State) -> bool:
    """Return whether the build failed there; check the state that it left."""
    with small_disk(folder, limit) as disk:
        shop = make_workshop(disk)
        failed = fails(shop, limit)
        enlarge(disk)
        assert take_state(shop, "nano-cpu-int8") == expected, limit
        shop.run("store", "gc")
        assert "0 damaged" in shop.run("store", "verify").stdout
        assert list_debris(shop.store) == [], limit
    return failed


def fails(shop: Workshop, limit: str) -> bool:
    done = shop.start("build", "nano-cpu-int8")
    if done.returncode:
        assert done.returncode == 1, f"{limit}: {done.stderr}"
        lines = [
            line
            for line in done.stderr.splitlines()
            if not line.startswith(("built ", "reused ", "skipped ", "failed ", "warning: "))
        ]
        assert len(lines) == 1, f"{limit}: {done.stderr}"
        assert re.fullmatch("error: .+", lines[0]), f"{limit}: {done.stderr}"
    return done.returncode != 0
