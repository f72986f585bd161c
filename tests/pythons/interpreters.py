"""Finds Pythons on this machine: on PATH, and among those that pyenv has installed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TELL_VERSION = "import platform; print(platform.python_version())"


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs here, and its whole version."""

    program: str
    version: str


def find_interpreter(name: str) -> Interpreter | None:
    """Return the first program of this name, or at this path, that runs."""
    for program in list_programs(name):
        if version := read_version(program):
            return Interpreter(program, version)
    return None


def list_programs(name: str) -> Iterator[str]:
    """Yield the program on PATH, which may be pyenv's shim for a version that is not active, then pyenv's own."""
    if found := shutil.which(name):
        yield found
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from sorted(map(str, versions.glob(f"*/bin/{name}")))


def read_version(program: str) -> str | None:
    """Return the version that a program prints as a Python; None if it is not a Python that works."""
    done = subprocess.run([program, "-c", TELL_VERSION], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
