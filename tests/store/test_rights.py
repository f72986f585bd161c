"""What is made in a store gets the rights of the store's folder, whatever the umask is."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gpt2forge.store.atomic import remove_tree
from gpt2forge.store.rights import share_file
from gpt2forge.store.store import Store
from tests.store.made import KEY, make_record, put


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def fill(root: Path) -> tuple[Store, str]:
    """Make one of everything that a build makes in a store."""
    store = Store(root)
    with store.hold():
        digest = put(store, {"a/b": b"1"})
        store.records.write(make_record(digest))
        store.make_log("convert", KEY)
        store.make_workspace(KEY)
        store.stat_cache.remember(KEY, "text")
    return store, digest


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("mode", [0o755, 0o700, 0o2775, 0o3777])
def test_everything_in_a_store_gets_the_rights_of_its_folder(tmp_path: Path, mode: int, mask: int) -> None:
    tmp_path.chmod(mode)
    with umask(mask):
        store, digest = fill(tmp_path)
    artifact = store.artifacts.folder(digest)
    for path in tmp_path.rglob("*"):
        found = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert found == mode, path
        elif path.is_relative_to(artifact):
            assert found == mode & 0o444, path
        else:
            assert found == mode & (0o644 if mode & stat.S_ISVTX else 0o666), path


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o755), (0o077, 0o700), (0o002, 0o775)])
def test_umask_decides_the_rights_of_a_new_store(tmp_path: Path, mask: int, mode: int) -> None:
    with umask(mask):
        fill(tmp_path / "new")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_dir()} == {mode}


def test_folder_of_another_mode_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir(mode=0o700)
    (tmp_path / "locks").chmod(0o700)
    fill(tmp_path)
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o700


def test_tree_without_rights_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for name in ("a/b/c", "a/b", "a"):
        (tmp_path / name).chmod(0)
    remove_tree(tmp_path / "link")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0
    remove_tree(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_file_in_a_folder_of_everybody_is_writable_for_its_owner_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "x").touch()
    share_file(tmp_path / "x")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o644
