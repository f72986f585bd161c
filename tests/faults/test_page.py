"""The table of docs/reliability.md: one row for every fault test, and no other row."""

import ast
import re
from pathlib import Path

from tests.workshop import ROOT

HERE = Path(__file__)
PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")


def list_tests() -> set[str]:
    files = [path for path in HERE.parent.glob("test_*.py") if path != HERE]
    trees = [(path.stem, ast.parse(path.read_text(encoding="utf-8"))) for path in files]
    return {
        f"{stem}::{node.name}"
        for stem, tree in trees
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_fault_test_has_one_row_and_each_row_names_one() -> None:
    rows = re.findall(r"^\| `(test_\w+::test_\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(list_tests())


def test_every_row_says_how_often_it_was_tried() -> None:
    counts = re.findall(r"^\| `test_\w+::test_\w+` \| .+ \| (\d+) \| .+ \|$", PAGE, re.MULTILINE)
    assert len(counts) == len(list_tests())
    assert min(map(int, counts)) > 0


def test_every_row_of_other_tests_names_a_file_of_tests() -> None:
    rows = re.findall(r"^\| `(\w+/test_\w+\.py)` \|", PAGE, re.MULTILINE)
    assert rows == sorted(rows)
    assert [row for row in rows if not (ROOT / "tests" / row).is_file()] == []
