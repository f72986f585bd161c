"""Stores and projects that mounts show under other paths: garbage collection keeps what outputs link to."""

from pathlib import Path

import pytest

from gpt2forge.store.gc import collect
from gpt2forge.store.store import Store
from tests.faults.conftest import Note
from tests.faults.disks import mount
from tests.store.outputs import is_served, publish_package

pytestmark = pytest.mark.slow


def collect_all(store: Path) -> list[str]:
    """Evict all that may be evicted; return the digests."""
    return [item.digest for item in collect(Store(store), [], limit=0).evicted]


def test_store_that_has_several_names(tmp_path: Path, note: Note) -> None:
    (tmp_path / "store").mkdir()
    with mount(tmp_path / "here", "--bind", str(tmp_path / "store")):
        publish_package(Store(tmp_path / "here"), tmp_path / "a/build/x", "a")
        assert collect_all(tmp_path / "store") == []
        assert is_served(tmp_path / "a/build/x")
    assert collect_all(tmp_path / "store") == []
    with mount(tmp_path / "here", "--bind", str(tmp_path / "store")):
        assert is_served(tmp_path / "a/build/x")
    note(
        "`store gc` of a store under another name than the outputs link to, mounted there and not",
        2,
        "all outputs work",
    )


def test_projects_that_take_turns_at_one_path(tmp_path: Path, note: Note) -> None:
    store, work, names = tmp_path / "store", tmp_path / "work", ("one", "two", "three")
    for name in names:
        (tmp_path / name).mkdir()
        with mount(work, "--bind", str(tmp_path / name)):
            publish_package(Store(store), work / "build/x", name)
            assert collect_all(store) == []
    for name in names:
        with mount(work, "--bind", str(tmp_path / name)):
            assert collect_all(store) == []
            assert is_served(work / "build/x")
    assert collect_all(store) == []
    note("`store gc` of a store that projects share, each mounted at the same path", 7, "all outputs work")
