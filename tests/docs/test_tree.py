"""The tree in CONTRIBUTING.md is the tree that there is: every folder has its line, and every line names a path."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.workshop import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Where things are\n")[2].partition("\n## ")[0]
CHANGES = PAGE.partition("\n## The usual changes\n")[2].partition("\n### ")[0]
IGNORED = ("__pycache__", *(line.strip("/") for line in (ROOT / ".gitignore").read_text().split() if line))
PLACES = ("", "gpt2forge/", "gpt2forge/graph/")
"""The folders in which the paths of the table of usual changes start."""


def list_paths(tree: str) -> Iterator[str]:
    """Yield the path of each line of an indented tree; a folder ends in a slash."""
    parents: list[str] = []
    for indent, name in re.findall(r"^    ( *)(\S+)  ", tree, re.MULTILINE):
        parents[len(indent) // 2 :] = [name]
        yield "".join(parents)


def list_folders(folder: Path) -> Iterator[str]:
    """Yield the folders below one, but for hidden ones, those that git ignores, and those that hold byte code alone.

    Byte code stays behind where git moves the files of a folder elsewhere.
    """
    for path in sorted(path for path in folder.iterdir() if path.is_dir() and has_files(path)):
        if not any(fnmatch(path.name, pattern) for pattern in (".*", *IGNORED)):
            yield f"{path.relative_to(ROOT).as_posix()}/"
            if path.is_relative_to(ROOT / "gpt2forge"):
                yield from list_folders(path)


def has_files(folder: Path) -> bool:
    return any(path.is_file() and path.suffix != ".pyc" for path in folder.rglob("*"))


LISTED = list(list_paths(SECTION))


def test_every_folder_has_its_line_and_no_other() -> None:
    listed = [path for path in LISTED if path.endswith("/") and not path.startswith(".")]
    assert sorted(listed) == sorted(list_folders(ROOT))


@pytest.mark.parametrize("path", LISTED)
def test_every_line_names_a_path(path: str) -> None:
    assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file()


def test_every_file_at_the_top_of_the_package_has_its_line() -> None:
    files = {f"gpt2forge/{path.name}" for path in (ROOT / "gpt2forge").glob("[a-z]*.py")}
    assert files <= set(LISTED)


@pytest.mark.parametrize("path", re.findall(r"`((?:[\w.]+/)*[\w.]+(?:\.(?:pyi?|md|toml)|/))`", CHANGES))
def test_every_path_of_the_usual_changes_exists(path: str) -> None:
    assert any((ROOT / place / path).exists() for place in PLACES) or "NAME" in path


def test_nested_lines_are_paths_of_their_folder() -> None:
    tree = "    a/    one\n      b.py    two\n      c/    three\n        d.py    four\n    e/    five\n"
    assert list(list_paths(tree)) == ["a/", "a/b.py", "a/c/", "a/c/d.py", "e/"]
