"""`gpt2forge doctor` on this machine."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from gpt2forge.cli import program
from gpt2forge.doctor import diagnose, examine_memory


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty working directory, in which little memory is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(examine_memory, "choose_rows", lambda free: 256)
    return tmp_path


def test_machine_is_described_for_programs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"threads", "processor", "memory", "versions", "disk", "advice", "findings"}
    assert found["threads"]["threads"] >= 1
    assert isinstance(found["processor"]["int8_products_saturate"], bool)
    assert (found["memory"]["read_gb_s"] or 0) > 0 or find_spec("torch") is None
    assert found["versions"]["onnxruntime"]
    assert list(here.iterdir()) == []


def test_people_get_a_line_for_each_aspect_and_the_advice(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["threads", "processor", "memory", "versions", "disk"]
    assert any(line.startswith("products of int8") for line in lines)
    assert len(diagnose.diagnose(Path("cache"))) == 5
