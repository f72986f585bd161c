"""A checkpoint is found from a folder above it, or from a file in it."""

from pathlib import Path

import pytest

from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.errors import UserError

FILES = ("config.json", "model.safetensors", "tokenizer.json")


def make_checkpoint(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_text("{}")
    return folder


def test_folder_that_holds_a_checkpoint_is_taken_without_a_note(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model")
    make_checkpoint(folder / "checkpoint-500")
    found = find_checkpoint(folder)
    assert (found.folder, found.notes, found.through) == (folder, (), ())


def test_newest_of_a_trainers_folders_is_taken_and_noted(tmp_path: Path) -> None:
    for step in (500, 1000, 900):
        make_checkpoint(tmp_path / f"checkpoint-{step}")
    found = find_checkpoint(tmp_path)
    assert found.folder.name == "checkpoint-1000"
    assert found.notes == ("the checkpoint is read from the folder `checkpoint-1000` in it, the newest of 3",)
    assert set(found.through) == {tmp_path, tmp_path / "checkpoint-1000"}


@pytest.mark.parametrize("named", [True, False])
def test_snapshot_of_a_hub_cache_is_taken(tmp_path: Path, named: bool) -> None:
    if named:
        make_checkpoint(tmp_path / "snapshots" / "older")
        (tmp_path / "refs").mkdir()
        (tmp_path / "refs/main").write_text("0123abc\n")
    folder = make_checkpoint(tmp_path / "snapshots" / "0123abc")
    found = find_checkpoint(tmp_path)
    assert found.folder == folder and "`snapshots/0123abc`" in found.notes[0]
    assert set(found.through) >= {tmp_path, tmp_path / "snapshots"}


def test_several_folders_that_could_be_meant_are_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_checkpoint(tmp_path / name)
    with pytest.raises(UserError, match="holds 2 checkpoints, in `a`, `b`; name the folder of one of them"):
        find_checkpoint(tmp_path)


def test_file_of_a_checkpoint_stands_for_its_folder(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model")
    assert find_checkpoint(folder / "model.safetensors").folder == folder
    (folder / "other.bin").write_text("")
    with pytest.raises(UserError, match=r"is not read; the checkpoint beside it is in `model\.safetensors`"):
        find_checkpoint(folder / "other.bin")


def test_folder_far_below_is_not_searched(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "a/b/c")
    with pytest.raises(UserError, match="no checkpoint at"):
        find_checkpoint(tmp_path)


@pytest.mark.parametrize("above", [".", "hub"])
def test_one_repository_of_a_hub_cache_is_taken_and_several_are_named(tmp_path: Path, above: str) -> None:
    cache = tmp_path / "hub"
    (cache / "models--a--b/refs").mkdir(parents=True)
    (cache / "models--a--b/refs/main").write_text("0123abc")
    make_checkpoint(cache / "models--a--b/snapshots/older")
    folder = make_checkpoint(cache / "models--a--b/snapshots/0123abc")
    found = find_checkpoint(tmp_path if above == "." else cache)
    assert found.folder == folder and "`models--a--b/snapshots/0123abc`" in found.notes[0].replace("`hub/", "`")
    assert set(found.through) >= {cache, cache / "models--a--b"}
    make_checkpoint(cache / "models--c--d/snapshots/1")
    with pytest.raises(UserError, match=r"holds 2 checkpoints, in .*models--a--b.*models--c--d.*; name the folder"):
        find_checkpoint(cache)
