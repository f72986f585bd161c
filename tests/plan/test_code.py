"""What of the code is in a key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.plan.code import PACKAGE, digest_code, find_reach, list_tokens
from gpt2forge.store.memo import Memo

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


@given(st.sampled_from(sorted(PACKAGE.rglob("*.py"))))
def test_every_module_of_ours_can_be_taken_in(path: Path) -> None:
    assert list(list_tokens(path.read_text(encoding="utf-8")))[-1:] != ["no such token"]


def test_reach_follows_imports_at_the_top_and_in_functions(tmp_path: Path) -> None:
    module = tmp_path / "toy.py"
    module.write_text("import json\ndef f():\n    from gpt2forge.plan import code\n")
    reach = find_reach([module], Memo(tmp_path / "memo"))
    assert {"toy", "gpt2forge", "gpt2forge.plan", "gpt2forge.plan.code", "gpt2forge.digest"} <= set(reach)
    assert "gpt2forge.cli" not in reach
    assert "json" not in reach


def test_digest_follows_code_and_not_comments(tmp_path: Path) -> None:
    module = tmp_path / "toy.py"
    memo = Memo(tmp_path / "memo")
    digests = []
    for text in ("x = 1\n", "x = 1  # one\n", "x = 2\n"):
        module.write_text(text)
        digests.append(digest_code([module], memo))
    assert digests[0] == digests[1] != digests[2]
