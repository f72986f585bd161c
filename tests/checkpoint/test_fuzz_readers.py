"""A short run of the fuzzer of `make fuzz`: no damage ends in a crash, and the fuzzer would notice one."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from gpt2forge.checkpoint import describe
from tests.checkpoint.fuzz_readers import Coverage, fuzz, try_one
from tests.checkpoint.huggingface_writer import make_model, write_huggingface


def test_no_damage_ends_in_a_crash() -> None:
    assert fuzz(80, seed=1) == []


def test_crash_hang_and_line_ends_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_huggingface(tmp_path, make_model())
    content = (folder / "config.json").read_bytes()
    coverage = Coverage()
    assert try_one(folder, "config.json", content, coverage) == ""
    assert coverage.new > 100
    assert try_one(folder, "config.json", b"{", coverage) == ""
    assert json.loads((folder / "config.json").read_text())  # it is put back
    monkeypatch.setattr(describe, "read_checkpoint", lambda checkpoint: 1 // 0)
    assert "ZeroDivisionError" in try_one(folder, "config.json", content, coverage)
