"""`gpt2forge key new`."""

import json
import stat
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from gpt2forge.cli import program
from gpt2forge.remote.signing import is_public, load_signer


def test_a_new_key_is_secret_and_its_public_half_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "key"
    assert program.run(["key", "new", str(file)]) == program.FINE
    said = capfd.readouterr()
    assert is_public(said.out.strip())
    assert load_signer(file.read_text().strip()).public == said.out.strip()
    assert file.read_text().strip() not in said.out + said.err
    assert f"GPT2FORGE_KEY={file}" in said.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_json_names_the_file_and_the_public_key(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert program.run(["key", "new", str(tmp_path / "key"), "--json"]) == program.FINE
    made = json.loads(capfd.readouterr().out)
    assert made["file"] == str(tmp_path / "key")
    assert is_public(made["public"])


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_no_key_is_overwritten(tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str) -> None:
    file = tmp_path / "key"
    if kind == "file":
        file.write_text("mine")
    elif kind == "link":
        file.symlink_to(tmp_path / "other")
    else:
        file.mkdir()
    assert program.run(["key", "new", str(file)]) == program.USER_ERROR
    assert capfd.readouterr().err == f"error: {file}: exists; name a new file, so that no key is lost\n"
    assert not (tmp_path / "other").exists()


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert program.run(["key", "new", str(tmp_path / "no/key")]) == program.USER_ERROR
    assert "No such file" in capfd.readouterr().err
