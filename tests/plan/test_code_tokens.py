"""The tokens of a module, held against Python's own tokenizer."""

import ast
import io
import sys
import tokenize
from collections.abc import Iterator, Sequence

import pytest

from gpt2forge.plan.code import PACKAGE
from gpt2forge.plan.code_tokens import read_tokens

CODE = '''"""Doc."""

import os


def f(x: int) -> int:
    """Doc of f."""
    # why
    return x + 1  # more


class A:
    """Doc of A."""

    b = "a string that counts"
'''


def list_tokens(source: str) -> list[str]:
    return read_tokens(source)[0]


def test_comments_docstrings_and_layout_do_not_count() -> None:
    bare = 'import os\ndef f(x:int)->int:\n        return x+1\nclass A:\n  "other"\n  b="a string that counts"\n'
    assert list_tokens(CODE) == list_tokens(bare)


@pytest.mark.parametrize(
    ("old", "new"),
    [("x + 1", "x + 2"), ("that counts", "that differs"), ("os", "re"), ("    return", "    if x:\n        return")],
)
def test_code_counts(old: str, new: str) -> None:
    assert list_tokens(CODE) != list_tokens(CODE.replace(old, new, 1))


def test_depth_of_a_block_counts() -> None:
    inside = "if a:\n    b()\n    c()\n"
    assert list_tokens(inside) != list_tokens("if a:\n    b()\nc()\n")


@pytest.mark.parametrize("text", ['f"{a} b"', 'f"{a[1]!r:>{width}} b {{c}}"', 'f"""{a}\n  {b}"""', 'f"é{f(1)}"'])
def test_f_string_is_one_token_on_every_python(text: str) -> None:
    tokens = list_tokens(f"x = {text}  # why\n")
    assert tokens[:3] == ["x", "=", text]
    assert set(tokens[3:]) <= {"\n", ""}


@pytest.mark.parametrize(
    ("statement", "imports"),
    [
        ("import gpt2forge.a as b, c\n", {"gpt2forge.a", "c"}),
        (
            "from gpt2forge.a import (\n    b as d,  # why\n    c,\n)\n",
            {"gpt2forge.a", "gpt2forge.a.b", "gpt2forge.a.c"},
        ),
        ("if x: import y; from z import w\n", {"y", "z", "z.w"}),
        ("def f():\n    import y\n", {"y"}),
        ("'import a'\nraise A from b\n", set()),
    ],
)
def test_imports_are_found_wherever_they_are(statement: str, imports: set[str]) -> None:
    assert read_tokens(statement)[1] == imports


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python 3.12 and later split f-strings")
def test_tokens_are_those_of_python() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        assert list_tokens(source) == list(list_by_python(source)), path


def list_by_python(source: str) -> Iterator[str]:
    """List the tokens of a module as tokenize and ast find them: the slow way."""
    left_out = (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER)
    blocks = {tokenize.NEWLINE: "\n", tokenize.INDENT: "\t+", tokenize.DEDENT: "\t-"}
    tree, lines = ast.parse(source), source.splitlines(keepends=True)
    nodes = list(ast.walk(tree))
    docstrings = {
        (node.lineno, node.col_offset)
        for node in nodes
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    calls = [node.exc for node in nodes if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
    raised = [(find_end(lines, call.func), find_end(lines, call)) for call in calls]
    in_docstring = False
    for found in tokenize.generate_tokens(io.StringIO(source).readline):
        if found.start in docstrings:
            in_docstring = True
        elif in_docstring and found.type == tokenize.NEWLINE:
            in_docstring = False
        elif found.type not in left_out and not any(start <= found.start < end for start, end in raised):
            yield blocks.get(found.type, found.string)


def find_end(lines: Sequence[str], node: ast.expr) -> tuple[int, int]:
    """Return the end of a node as tokenize counts it, in characters; ast counts bytes."""
    assert node.end_lineno and node.end_col_offset
    return node.end_lineno, len(lines[node.end_lineno - 1].encode()[: node.end_col_offset].decode())


def test_what_is_passed_to_a_raised_exception_does_not_count() -> None:
    one = 'def f(x):\n    é = "ü"; raise ValueError(f"{x!r}: é", 1) from None\n    return x\n'
    other = 'def f(x):\n    é = "ü"; raise ValueError("no") from None\n    return x\n'
    assert list_tokens(one) == list_tokens(other)
    assert list_tokens(one) != list_tokens(other.replace("ValueError", "TypeError"))
    assert list_tokens(one) != list_tokens(other.replace("return x", "return 2"))
