"""Garbage collection touches stores only, and in them only names that a store makes."""

import os
import time
from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.store.gc import OLD, collect
from gpt2forge.store.locks import StoreBusy
from gpt2forge.store.marker import FILE, check_store, mark_store
from gpt2forge.store.store import Store
from tests.store.made import KEY, make_record, put
from tests.store.outputs import publish_package

STRANGERS = (
    *("artifacts/results.json", "artifacts/run.evicted", "artifacts/.aside-", "damaged/photo1.jpg", "damaged/a/b"),
    *("making/run1/recipe.txt", "logs/server.log", "logs/fuse-new.log", "stat_cache/ab/notes", "stat_cache/notes"),
    *("roots/mine.json", "roots/.aside-mine", "records/a/mine.json", "locks/mine.lock", "held.txt"),
)


def fill(folder: Path) -> list[Path]:
    """Write a stranger's files, all of them old."""
    for name in STRANGERS:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        os.utime(path, (time.time() - 2 * OLD,) * 2)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_folder_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    before = fill(tmp_path)
    with pytest.raises(UserError) as error:
        collect(Store(tmp_path), [], limit=0)
    assert str(error.value) == f"{tmp_path}: is not a store of gpt2forge; name one with `--store`"
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before


def test_files_of_a_stranger_in_a_store_are_left_alone(tmp_path: Path) -> None:
    before = fill(tmp_path)
    store = Store(tmp_path)
    publish_package(store, tmp_path.parent / f"{tmp_path.name}-build/x", "x")
    collect(store, [], limit=0)
    assert [path for path in before if not path.is_file()] == []


def test_what_a_store_makes_is_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    publish_package(store, tmp_path / "build/x", "x")
    left = [
        *(
            f"artifacts/{KEY}.json",
            f"damaged/{KEY}",
            f"damaged/{KEY}.json",
            f"making/{KEY}/a",
            f"roots/.aside-{'a' * 8}",
        ),
        *(f"{folder}/.aside-{'b' * 8}" for folder in (".", "artifacts", "records/convert", "stat_cache/ab")),
        *(f"{folder}/.aside-{KEY}" for folder in ("artifacts", "damaged")),
        f"damaged/.aside-{KEY}.json",
    ]
    for name in left:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert len(collect(store, [], limit=None).leftovers) == len(left)
    assert [name for name in left if (tmp_path / name).exists()] == []


@pytest.mark.parametrize("part", ["records", "artifacts"])
def test_store_without_a_marker_is_recognised_and_marked_by_the_next_build(tmp_path: Path, part: str) -> None:
    """An earlier version wrote no marker, and a CI cache restores records and artifacts alone."""
    old = Store(tmp_path / "old")
    digest = put(old, {"a": b"1"})
    old.records.write(make_record(digest))
    (tmp_path / "new").mkdir()
    (old.root / part).rename(tmp_path / "new" / part)
    check_store(tmp_path / "new")
    assert not (tmp_path / "new" / FILE).exists()
    with Store(tmp_path / "new").hold():
        assert (tmp_path / "new" / FILE).is_file()


def test_store_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("gpt2forge store 2\n")
    for use in (check_store, mark_store):
        with pytest.raises(UserError, match="is a store of a newer gpt2forge; use that version"):
            use(tmp_path)


def test_query_writes_no_marker(tmp_path: Path) -> None:
    with Store(tmp_path, is_read_only=True).hold():
        pass
    assert list(tmp_path.iterdir()) == []


def test_collection_waits_until_a_build_has_ended(tmp_path: Path) -> None:
    store, waits = Store(tmp_path), []
    publish_package(store, tmp_path / "build/x", "x")
    digest = put(store, {"a": b"1"})
    build = store.hold()
    build.__enter__()

    def wait() -> None:
        assert store.artifacts.is_whole(digest)
        waits.append(1)
        if len(waits) == 2:
            build.__exit__(None, None, None)

    with pytest.raises(StoreBusy, match="a build or another command is using it"):
        collect(store, [], limit=0)
    assert [item.digest for item in collect(store, [], limit=0, wait=wait).evicted] == [digest]
    assert len(waits) == 2
