"""The files that a stamp compares for each tool; tests/test_stamp.py has the rest."""

import importlib
from pathlib import Path

import pytest

from gpt2forge.builder.write_stamp import Looks, find_metadata


def test_tool_that_is_not_installed_leaves_no_stamp_and_is_no_bug() -> None:
    with pytest.raises(ValueError, match="no-such-tool is not installed"):
        find_metadata("no-such-tool")


def test_metadata_of_an_installed_tool_are_found() -> None:
    folder, metadata = find_metadata("onnx-ir")
    assert folder.is_dir() and metadata.is_file()


def test_upgrade_between_two_builds_of_one_process_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(version: str) -> Path:
        folder = tmp_path / f"tool-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tool\nVersion: {version}\n")
        return folder

    monkeypatch.syspath_prepend(tmp_path)
    first, looks = install("1.0"), Looks()
    assert looks.find_metadata("tool")[0] == first
    (first / "METADATA").unlink()
    first.rmdir()
    second = install("2.0")
    importlib.invalidate_caches()  # both were installed within one tick of the clock
    assert looks.find_metadata("tool")[0] == first
    assert Looks().find_metadata("tool")[0] == second
