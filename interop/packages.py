"""Installs packages into a virtualenv without pip: by uv, in a tenth of pip's time, else by pip.

uv reads no setting of pip's. It gets those that say how packages are reached; what it cannot find with them, pip
installs, which may know other sources.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from uv import find_uv_bin

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
SETTINGS = {"index-url": "UV_DEFAULT_INDEX", "find-links": "UV_FIND_LINKS", "cert": "SSL_CERT_FILE"}
"""The environment variable of uv for each setting of pip."""


def install(python: Path, *arguments: str) -> None:
    """Install packages for an interpreter. Raises subprocess.CalledProcessError, with pip's messages in `stderr`."""
    if not install_by_uv(python, arguments):
        command = (*PIP, "--python", str(python), "install", "-q", "--no-compile", *arguments)
        subprocess.run(command, capture_output=True, text=True, check=True)


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
