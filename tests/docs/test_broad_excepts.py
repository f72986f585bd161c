"""docs/reliability.md lists every broad `except`, and every way to exit code 3: no error is swallowed by chance."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.workshop import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "gpt2forge"
BROAD = {"Exception", "BaseException"}


def list_listed(title: str) -> Counter[str]:
    """Count the functions in the first column of a section's table."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return Counter(re.findall(r"^\| `([\w/.]+::\w+)` \|", section, re.MULTILINE))


def list_functions(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Yield every function of a file by `folder/file.py::function`."""
    name = path.relative_to(PACKAGE).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield f"{name}::{node.name}", node


def is_broad(node: ast.AST) -> bool:
    """Return whether a node catches everything: an `except`, or a `suppress`."""
    if isinstance(node, ast.ExceptHandler):
        caught = [node.type] if node.type else []
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "suppress":
        caught = node.args
    else:
        return False
    return not caught or any(
        isinstance(each, ast.Name) and each.id in BROAD for one in caught for each in ast.walk(one)
    )


def test_every_broad_except_is_listed() -> None:
    found = Counter(
        name
        for path in PACKAGE.rglob("*.py")
        for name, function in list_functions(path)
        for node in ast.walk(function)
        if is_broad(node)
    )
    assert list_listed("Where any error is caught") == Counter(found.keys())
    assert (
        sum(
            map(
                is_broad,
                ast.walk(
                    ast.parse("try:\n pass\nexcept (OSError, Exception):\n pass\nwith suppress(BaseException): pass")
                ),
            )
        )
        == 2
    )


def test_every_way_to_exit_code_3_is_in_one_function() -> None:
    found = [
        name
        for path in PACKAGE.rglob("*.py")
        for name, function in list_functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == "BUG"
    ]
    assert found == ["cli/program.py::run"] * 2
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert [path for path, text in texts.items() if re.search(r"exit\(3\)|SystemExit\(3\)", text)] == []
