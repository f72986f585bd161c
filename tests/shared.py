"""Folders that are made once for all workers of pytest-xdist, by the first that needs them.

https://pytest-xdist.readthedocs.io/en/stable/how-to.html#making-session-scoped-fixtures-execute-only-once
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def share(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]) -> Path:
    """Return the folder `name` of this run of pytest, filled by whichever worker came first; treat it as read-only."""
    own = factory.getbasetemp()
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, complete = root / name, root / f"{name}.complete"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            fill(folder)
            complete.touch()
    return folder
