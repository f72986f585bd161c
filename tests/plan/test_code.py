"""The parts of the code that enter a key."""

import ast
from pathlib import Path

import pytest

from gpt2forge.plan.code import PACKAGE, digest_code, find_reach, list_tokens
from gpt2forge.store.stat_cache import StatCache

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


def test_comments_docstrings_and_layout_do_not_count() -> None:
    bare = 'import os\ndef f(x:int)->int:\n        return x+1\nclass A:\n  "other"\n  b="a string that counts"\n'
    assert list(list_tokens(CODE)) == list(list_tokens(bare))


@pytest.mark.parametrize(
    ("old", "new"),
    [("x + 1", "x + 2"), ("that counts", "that differs"), ("os", "re"), ("    return", "    if x:\n        return")],
)
def test_code_counts(old: str, new: str) -> None:
    assert list(list_tokens(CODE)) != list(list_tokens(CODE.replace(old, new, 1)))


def test_depth_of_a_block_counts() -> None:
    inside = "if a:\n    b()\n    c()\n"
    assert list(list_tokens(inside)) != list(list_tokens("if a:\n    b()\nc()\n"))


@pytest.mark.parametrize("text", ['f"{a} b"', 'f"{a[1]!r:>{width}} b {{c}}"', 'f"""{a}\n  {b}"""', 'f"é{f(1)}"'])
def test_f_string_is_one_token_on_every_python(text: str) -> None:
    tokens = list(list_tokens(f"x = {text}  # why\n"))
    assert tokens[:3] == ["x", "=", text]
    assert set(tokens[3:]) <= {"\n", ""}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_tokens_of_each_module_hold_every_name_in_it(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tokens = list(list_tokens(source))
    assert tokens.count("\t+") == tokens.count("\t-")
    held = " ".join(tokens)
    tree = ast.parse(source)
    raised = {id(name) for node in ast.walk(tree) if isinstance(node, ast.Raise) for name in ast.walk(node)}
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in raised)
    assert all(name.id in held for name in names)


def test_what_is_passed_to_a_raised_exception_does_not_count() -> None:
    one = 'def f(x):\n    é = "ü"; raise ValueError(f"{x!r}: é", 1) from None\n    return x\n'
    other = 'def f(x):\n    é = "ü"; raise ValueError("no") from None\n    return x\n'
    assert list(list_tokens(one)) == list(list_tokens(other))
    assert list(list_tokens(one)) != list(list_tokens(other.replace("ValueError", "TypeError")))
    assert list(list_tokens(one)) != list(list_tokens(other.replace("return x", "return 2")))


def test_reach_follows_imports_at_the_top_and_in_functions(tmp_path: Path) -> None:
    module = tmp_path / "toy.py"
    module.write_text("import json\ndef f():\n    from gpt2forge.plan import code\n")
    reach = find_reach([module], StatCache(tmp_path / "stat_cache"))
    assert {"toy", "gpt2forge", "gpt2forge.plan", "gpt2forge.plan.code", "gpt2forge.digest"} <= set(reach)
    assert "gpt2forge.cli.program" not in reach
    assert "json" not in reach


def test_damaged_stat_cache_changes_no_digest(tmp_path: Path) -> None:
    stat_cache = StatCache(tmp_path / "stat_cache")
    digest = digest_code([PACKAGE / "stages/stage.py"], stat_cache)
    for damage in (b"5", b"{}", bytes(64), b"\xff"):
        for entry in (tmp_path / "stat_cache").glob("*/*"):
            entry.write_bytes(damage)
        assert digest_code([PACKAGE / "stages/stage.py"], stat_cache) == digest


def test_digest_follows_code_and_not_comments(tmp_path: Path) -> None:
    module = tmp_path / "toy.py"
    stat_cache = StatCache(tmp_path / "stat_cache")
    digests = []
    for text in ("x = 1\n", "x = 1  # one\n", "x = 2\n"):
        module.write_text(text)
        digests.append(digest_code([module], stat_cache))
    assert digests[0] == digests[1] != digests[2]
