"""The progress of a build in a real terminal."""

import os
import pty
import re
import subprocess
import sys

import pytest

from tests.workshop import UNMEASURED, Workshop

pytestmark = pytest.mark.slow


def run_in_terminal(shop: Workshop, *words: str) -> str:
    """Run a command in a terminal of its own, and return all that it wrote."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    command = [sys.executable, "-m", "gpt2forge", *words]
    with subprocess.Popen(
        command, cwd=shop.folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as build:
        os.close(theirs)
        pieces = []
        while piece := read(ours):
            pieces.append(piece)
    os.close(ours)
    assert build.returncode == 0
    return b"".join(pieces).decode()


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the other end is closed
        return b""


def test_terminal_shows_a_row_for_each_step_that_runs_and_counts_all(tmp_path: object, workshop: Workshop) -> None:
    store = ("--store", f"{tmp_path}/store")
    said = run_in_terminal(workshop, "build", "nano-cpu-int8", "nano-cpu-int4", *UNMEASURED, *store)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said)
    assert "14 of 14" in plain
    assert re.search(r"nano-cpu-int4 +quantize +━", plain)
    assert re.search(r"built +nano-cpu-int4 +quantize +[0-9.]+ s  not built before", plain)
    last = plain[plain.rindex("14 of 14") :]
    assert "━" not in last  # every row is gone in the end
