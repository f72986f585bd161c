"""Installs packages into a virtualenv without pip: by uv, in a tenth of pip's time, else by pip.

uv reads no setting of pip's. It gets those that say how packages are reached; what it cannot find with them, pip
installs, which may know other sources.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from uv import find_uv_bin

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
SETTINGS = {"index-url": "UV_DEFAULT_INDEX", "find-links": "UV_FIND_LINKS", "cert": "SSL_CERT_FILE"}
"""The environment variable of uv for each setting of pip."""

BUILD = re.compile(r"lines? of output\]\n(.*?)\n *\[end of output\]", re.DOTALL)
ERROR = re.compile(r"\berror: |CMake Error|^\w+Error: ")


def install(python: Path, *arguments: str) -> None:
    """Install packages for an interpreter. Raises subprocess.CalledProcessError, with pip's messages in `stderr`."""
    if not install_by_uv(python, arguments):
        command = (*PIP, "--python", str(python), "install", "-q", "--no-compile", *arguments)
        subprocess.run(command, capture_output=True, text=True, check=True)


def compile_sources(python: Path, listed: Path) -> None:
    """Install the packages of a requirements file, compiled by the build tools that the interpreter's environment has.

    Earlier builds are not looked for, because they may be for another processor. Raises subprocess.CalledProcessError,
    with the messages of pip and of the compiler in `stderr`.
    """
    options = ("-q", "--no-build-isolation", "--no-deps", "--no-cache-dir", "-r", str(listed))
    subprocess.run((*PIP, "--python", str(python), "install", *options), capture_output=True, text=True, check=True)


def find_failure(messages: str) -> str:
    """Return the first error of a build that failed, which pip shows between two marks, else pip's last line."""
    failed = [line.strip() for part in BUILD.findall(messages) for line in part.splitlines()]
    errors = [line for line in failed if ERROR.search(line)]
    return (errors[:1] or failed[-1:] or messages.strip().splitlines()[-1:] or [""])[0]


def install_by_uv(python: Path, arguments: Sequence[str]) -> bool:
    """Install with uv; return False if it failed."""
    command = (find_uv_bin(), "pip", "install", "-q", "--python", str(python), *arguments)
    environment = {**read_pip_settings(), **os.environ, "UV_NO_CONFIG": "1"}
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def read_pip_settings() -> dict[str, str]:
    """Return SETTINGS as pip has them, by uv's names; pip's environment variables win over its files."""
    listed = subprocess.run((*PIP, "config", "list"), capture_output=True, text=True, check=True).stdout
    settings: dict[str, str] = {}
    for line in sorted(listed.splitlines(), reverse=True):  # `:env:.cert='...'` sorts before `global.cert='...'`
        name, _, value = line.partition("=")
        if variable := SETTINGS.get(name.rpartition(".")[2]):
            settings[variable] = str(ast.literal_eval(value)).replace("\n", ",").replace(" ", ",")
    return settings
