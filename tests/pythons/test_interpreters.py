"""Interpreters are found by name on PATH, then among those of pyenv."""

import platform
import sys
from pathlib import Path

import pytest

from tests.pythons.interpreters import Interpreter, find_interpreter

HERE = Interpreter(sys.executable, platform.python_version())


def test_path_of_an_interpreter_is_a_name() -> None:
    assert find_interpreter(sys.executable) == HERE


def test_name_that_no_program_has_is_not_found() -> None:
    assert find_interpreter("python3.99") is None


def test_shim_of_a_version_that_is_not_active_gives_way_to_the_version_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim, real = tmp_path / "shims/python3.99", tmp_path / "versions/3.99.1/bin/python3.99"
    for path, command in ((shim, "exit 127"), (real, f'exec "{sys.executable}" "$@"')):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{command}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent), prepend=":")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert find_interpreter("python3.99") == Interpreter(str(real), HERE.version)
