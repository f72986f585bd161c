"""Outputs are known by a path and a token, and what they may use is kept while they are not found."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt2forge.store.doubts import forget, list_doubts
from gpt2forge.store.gc import collect
from gpt2forge.store.output_token import FILE, make_token, read_token
from gpt2forge.store.roots import find_whole, list_roots, name_note, name_root, read_notes
from gpt2forge.store.store import Store
from tests.store.outputs import is_served, publish_package
from tests.workshop import ROOT


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def collect_all(store: Store) -> list[str]:
    """Evict all that may be evicted; return the digests."""
    return [item.digest for item in collect(store, [], limit=0).evicted]


def test_project_that_moved_keeps_its_package_when_another_takes_its_place(store: Store, tmp_path: Path) -> None:
    for same in ("x", "y"):
        publish_package(store, tmp_path / "project/build/x", "old")
        (tmp_path / "project").rename(tmp_path / f"production-{same}")
        publish_package(store, tmp_path / f"project/build/{same}", "new")
        assert collect_all(store) == []
        assert is_served(tmp_path / f"production-{same}/build/x")
        shutil.rmtree(tmp_path / "project")


def test_moved_project_is_found_again_at_its_next_build(store: Store, tmp_path: Path) -> None:
    digest = publish_package(store, tmp_path / "project/build/x", "old")
    (tmp_path / "project").rename(tmp_path / "moved")
    (doubt,) = list_doubts(read_notes(store))
    assert doubt.to_json()["artifacts"] == [digest]
    publish_package(store, tmp_path / "moved/build/x", "new")
    assert list_doubts(read_notes(store)) == []
    assert collect_all(store) == [digest]
    assert len(read_notes(store)) == 1
    assert is_served(tmp_path / "moved/build/x")


def test_two_folders_at_one_path_do_not_replace_each_others_notes(store: Store, tmp_path: Path) -> None:
    """Folders that take turns at one path stand for two containers, each with its own folder there."""
    for name in ("one", "two"):
        publish_package(store, tmp_path / "work/build/x", name)
        (tmp_path / "work").rename(tmp_path / name)
    for name in ("one", "two"):
        (tmp_path / name).rename(tmp_path / "work")
        assert collect_all(store) == []
        (tmp_path / "work").rename(tmp_path / name)
    assert is_served(tmp_path / "one/build/x") and is_served(tmp_path / "two/build/x")


def test_copy_of_a_project_gets_a_token_of_its_own(store: Store, tmp_path: Path) -> None:
    publish_package(store, tmp_path / "image/build/x", "old")
    for name in ("one", "two"):
        shutil.copytree(tmp_path / "image", tmp_path / name, symlinks=True)
        assert read_token(tmp_path / name / "build") is None
        (tmp_path / name).rename(tmp_path / "work")
        publish_package(store, tmp_path / "work/build/x", name)
        (tmp_path / "work").rename(tmp_path / name)
    assert len({read_token(tmp_path / name / "build") for name in ("image", "one", "two")}) == 3
    assert collect_all(store) == []
    assert is_served(tmp_path / "one/build/x") and is_served(tmp_path / "two/build/x")


def test_store_that_an_output_knows_by_another_name_keeps_its_package(store: Store, tmp_path: Path) -> None:
    """The link of an output leads through a mount that is not here."""
    gone, kept = (publish_package(store, tmp_path / name / "build/x", name) for name in ("a", "b"))
    for name, digest in (("a", "0" * 64), ("b", kept)):
        output = tmp_path / name / "build/x"
        output.unlink()
        output.symlink_to(f"/nowhere/artifacts/{digest}")
    assert collect_all(store) == [gone]
    assert store.artifacts.is_whole(kept)


def test_removed_output_is_gone_for_certain(store: Store, tmp_path: Path) -> None:
    digest = publish_package(store, tmp_path / "a/build/x", "a")
    publish_package(store, tmp_path / "a/build/y", "b")
    (tmp_path / "a/build/x").unlink()
    assert list_doubts(read_notes(store)) == []
    assert collect_all(store) == [digest]
    assert [root.recipe for root in list_roots(read_notes(store)).values()] == ["y"]


def test_package_that_a_failed_publication_leaves_in_place_is_kept_in_doubt(store: Store, tmp_path: Path) -> None:
    digest = publish_package(store, tmp_path / "a/build/x", "a")
    link = (tmp_path / "a/build/x").readlink()
    publish_package(store, tmp_path / "a/build/x", "b")
    (tmp_path / "a/build/x").unlink()
    (tmp_path / "a/build/x").symlink_to(link)  # as if the build had ended between its note and its link
    (tmp_path / "a").rename(tmp_path / "moved")
    assert collect_all(store) == []
    assert store.artifacts.is_whole(digest)


def test_field_of_a_later_version_is_kept(store: Store, tmp_path: Path) -> None:
    output = tmp_path / "a/build/x"
    publish_package(store, output, "a")
    path = name_root(store, output)
    path.write_text(json.dumps({**json.loads(path.read_text()), "owner": "ci"}))
    assert collect_all(store) == []
    publish_package(store, output, "b")
    assert json.loads(path.read_text())["owner"] == "ci"


def write_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def write_empty(path: Path) -> None:
    path.write_bytes(b"")


def write_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def write_nesting(path: Path) -> None:
    path.write_text("[" * 100_000)


def write_value(name: str, value: object) -> Callable[[Path], object]:
    """Return a function that gives a field of a note a value of a wrong kind."""
    return lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))


WRONG: tuple[tuple[str, object], ...] = (
    *(("steps", {"quantize": 1}), ("steps", 1), ("time", float("inf")), ("time", "now"), ("output", "build/x")),
    *(("output", None), ("published", "x"), ("published", [1]), ("token", 1), ("device", [])),
)
DAMAGES: dict[str, Callable[[Path], object]] = {
    **{damage.__name__: damage for damage in (write_cut, write_empty, write_zeros, write_nesting)},
    **{f"{name}: {value}": write_value(name, value) for name, value in WRONG},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_note_that_cannot_be_read_protects_everything(
    store: Store, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    digest = publish_package(store, tmp_path / "a/build/x", "a")
    publish_package(store, tmp_path / "b/build/x", "b")
    path = name_root(store, tmp_path / "a/build/x")
    damage(path)
    assert collect_all(store) == []
    assert path.exists()
    assert is_served(tmp_path / "a/build/x")
    (doubt,) = list_doubts(read_notes(store))
    assert doubt.root is None and doubt.name == str(path)
    forget([doubt])
    assert collect_all(store) == [digest]


def test_build_again_writes_a_damaged_note_anew(store: Store, tmp_path: Path) -> None:
    publish_package(store, tmp_path / "a/build/x", "a")
    write_cut(name_root(store, tmp_path / "a/build/x"))
    publish_package(store, tmp_path / "a/build/x", "a")
    assert list_doubts(read_notes(store)) == []


def write_earlier(store: Store, output: Path, digest: str) -> Path:
    """Write the note of an output as version 0.1.0 first did: without a token, named by the path."""
    path = name_note(store, str(find_whole(output)))
    note = {"output": str(find_whole(output)), "recipe": "x", "steps": {"quantize": digest}, "time": 1.0}
    path.write_text(json.dumps(note))
    return path


def test_note_of_an_earlier_version_protects_its_output_and_goes_with_the_next_build(
    store: Store, tmp_path: Path
) -> None:
    output = tmp_path / "a/build/x"
    digest = publish_package(store, output, "a")
    name_root(store, output).unlink()
    (output.parent / FILE).unlink()
    path = write_earlier(store, output, digest)
    assert list_doubts(read_notes(store)) == []
    assert collect_all(store) == []
    (tmp_path / "a").rename(tmp_path / "moved")
    assert [doubt.note for doubt in list_doubts(read_notes(store))] == [path]
    assert collect_all(store) == []
    (tmp_path / "moved").rename(tmp_path / "a")
    publish_package(store, output, "a")
    assert list(read_notes(store)) == [name_root(store, output)]


def test_simultaneous_builds_make_one_token(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from gpt2forge.store.output_token import make_token; "
    program += "print(make_token(Path(sys.argv[1])))"
    command = [sys.executable, "-c", program, str(tmp_path / "build")]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert {process.communicate()[0].strip() for process in started} == {make_token(tmp_path / "build")}


@pytest.mark.parametrize("text", ["", "x", "0" * 32, f"{'0' * 32} 1\n", "\0" * 64, f"{'0' * 32} {'9' * 40}\n"])
def test_token_that_is_damaged_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert read_token(tmp_path) is None
    assert make_token(tmp_path) == read_token(tmp_path)
