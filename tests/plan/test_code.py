"""The parts of the code that enter a key."""

from pathlib import Path

from gpt2forge.plan.code import PACKAGE, digest_code, find_reach
from gpt2forge.store.stat_cache import StatCache


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
