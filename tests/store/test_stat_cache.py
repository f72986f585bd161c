"""The stat cache reads a file once, and trusts no stat that a later write might leave unchanged."""

import os
import time
from pathlib import Path

import pytest

from gpt2forge.digest import digest_bytes
from gpt2forge.errors import UserError
from gpt2forge.store.stat_cache import StatCache, StatEntry, read_stat


def read_count(stat_cache: StatCache, path: Path) -> tuple[str, int]:
    """Return the digest, and how many bytes were read for it."""
    counts: list[int] = []
    return stat_cache.digest(path, counts.append), sum(counts)


def test_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    stat_cache = StatCache(tmp_path / "stat_cache")
    assert read_count(stat_cache, path) == (digest_bytes(b"one"), 3)
    assert read_count(stat_cache, path) == (digest_bytes(b"one"), 0)


def test_renamed_file_is_known_unless_its_stat_changed(tmp_path: Path) -> None:
    path = tmp_path / "folder/a"
    path.parent.mkdir()
    path.write_bytes(b"one")
    stat_cache = StatCache(tmp_path / "stat_cache")
    stat_cache.digest(path)
    path.parent.rename(tmp_path / "elsewhere")
    assert read_count(stat_cache, tmp_path / "elsewhere/a") == (digest_bytes(b"one"), 0)


def test_edit_of_the_same_size_with_its_old_time_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    stat_cache = StatCache(tmp_path / "stat_cache")
    stat_cache.digest(path)
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert stat_cache.digest(path) == digest_bytes(b"two")


def test_edits_of_the_same_size_right_after_each_other_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    stat_cache = StatCache(tmp_path / "stat_cache")
    for number in range(100):
        data = f"{number:03}".encode()
        path.write_bytes(data)
        assert stat_cache.digest(path) == digest_bytes(data)


def test_time_in_the_future_is_never_trusted(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, (time.time() + 1000, time.time() + 1000))
    stat_cache = StatCache(tmp_path / "stat_cache")
    assert [read_count(stat_cache, path)[1] for _ in range(2)] == [3, 3]


def test_whole_seconds_are_not_trusted_while_they_are_fresh(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    second = 1_000_000_000
    entry = StatEntry(dev=1, inode=1, size=3, mtime_ns=7 * second, ctime_ns=7 * second)
    assert entry.settles_in(8 * second) == second
    assert entry.settles_in(10 * second) == 0
    assert read_stat(path).settles_in(time.time_ns() + second) == 0


def test_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")

    def grow(count: int) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with pytest.raises(UserError) as error:
        StatCache(tmp_path / "stat_cache").digest(
            path, lambda count: grow(count) if path.stat().st_size < 100 else None
        )
    assert str(error.value) == f"{path}: changed while it was being read; build again when nothing writes to it"


def test_read_only_cache_remembers_in_memory_alone(tmp_path: Path) -> None:
    path, folder = tmp_path / "a", tmp_path / "stat_cache"
    path.write_bytes(b"one")
    reader = StatCache(folder, is_read_only=True)
    assert [read_count(reader, path)[1] for _ in range(2)] == [3, 0]
    assert not folder.exists()
    StatCache(folder).digest(path)
    assert read_count(StatCache(folder, is_read_only=True), path) == (digest_bytes(b"one"), 0)


def test_damaged_entry_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    stat_cache = StatCache(tmp_path / "stat_cache")
    stat_cache.digest(path)
    for damage in (b"12", bytes(64), b"z" * 64, b"\xff" * 64, b""):
        for entry in (tmp_path / "stat_cache").glob("*/*"):
            entry.write_bytes(damage)
        assert read_count(stat_cache, path) == (digest_bytes(b"one"), 3)
