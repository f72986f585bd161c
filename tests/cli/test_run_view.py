"""The progress of a build in a real terminal."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workshop import UNMEASURED, Workshop, copy_workshop

pytestmark = pytest.mark.slow


Meanwhile = Callable[[subprocess.Popen[bytes], bytes], None]


def ignore(build: subprocess.Popen[bytes], said: bytes) -> None:
    """Do nothing while a build runs."""


def run_in_terminal(shop: Workshop, *words: str, code: int = 0, meanwhile: Meanwhile = ignore) -> str:
    """Run a command in a terminal of its own, and return all that it wrote.

    `meanwhile` is called with the process and what it has written, whenever it writes.
    """
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
            meanwhile(build, b"".join(pieces))
    os.close(ours)
    assert build.returncode == code
    return b"".join(pieces).decode()


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the other end is closed
        return b""


def read_screen(said: str) -> list[str]:
    """Return the lines that a terminal shows after all that was written to it."""
    lines, row, column = [""], 0, 0
    for escaped, plain in re.findall(r"(\x1b\[[0-9;?]*[a-zA-Z]|[\r\n])|([^\x1b\r\n]+)", said):
        if escaped == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif escaped == "\r":
            column = 0
        elif escaped == "\x1b[2K":
            lines[row] = ""
        elif escaped.endswith("A"):
            row -= int(escaped[2:-1])
        elif plain:
            lines[row] = lines[row][:column].ljust(column) + plain + lines[row][column + len(plain) :]
            column += len(plain)
    return lines


def test_screen_is_read_as_a_terminal_shows_it() -> None:
    said = "a\r\n\x1b[32mbar one\x1b[0m\r\nbar\r\x1b[2K\x1b[1A\x1b[2Kbuilt\r\nbar"
    assert read_screen(said) == ["a", "built", "bar"]
    assert read_screen("one\rtw") == ["twe"]


def test_terminal_shows_a_row_for_each_step_that_runs_and_counts_all(tmp_path: object, workshop: Workshop) -> None:
    store = ("--store", f"{tmp_path}/store")
    said = run_in_terminal(workshop, "build", "nano-cpu-int8", "nano-cpu-int4", *UNMEASURED, *store)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said)
    assert "14 of 14" in plain
    assert re.search(r"nano-cpu-int4 +quantize +━", plain)
    assert re.search(r"built +nano-cpu-int4 +quantize +[0-9.]+ s  not built before", plain)
    last = plain[plain.rindex("14 of 14") :]
    assert "━" not in last  # every row is gone in the end


@pytest.fixture
def own(tmp_path: Path, built_once: Workshop) -> Workshop:
    """Make a workshop whose results a test may spoil."""
    return copy_workshop(built_once, tmp_path / "own")


def test_log_has_a_line_for_each_step_even_where_colours_are_forced(own: Workshop) -> None:
    environment = {**os.environ, "FORCE_COLOR": "1"}
    command = [sys.executable, "-m", "gpt2forge", "build", "nano-cpu-int8", *UNMEASURED]
    command += ["--store", str(own.store), "--rerun", "fuse"]
    done = subprocess.run(command, cwd=own.folder, env=environment, capture_output=True, text=True, check=True)
    assert set(re.findall(r"\x1b\[[^m]*?[A-Za-ln-z]|\r", done.stderr)) == set()
    assert len(done.stderr.splitlines()) == 7


def test_interrupted_build_leaves_a_clean_screen(own: Workshop, tmp_path: Path) -> None:
    """Two recipes share the step, both have a result of an earlier build, and both are warned of it."""
    interrupted: list[bytes] = []

    def interrupt(build: subprocess.Popen[bytes], said: bytes) -> None:
        if b"convert" in said and not interrupted:
            interrupted.append(said)
            build.send_signal(signal.SIGINT)

    own.build("nano-cpu-int4")
    words = ("build", "nano-cpu-int8", "nano-cpu-int4", *UNMEASURED, "--store", f"{tmp_path}/store")
    said = run_in_terminal(own, *words, code=130, meanwhile=interrupt)
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l")  # the cursor is shown again
    lines = [line.rstrip() for line in read_screen(said) if line]
    assert [line for line in lines if "steps  " in line or "━" in line] == []
    assert lines[-1] == "error: interrupted; finished steps are kept"
    assert {line for line in lines if line.startswith("warning")} == {
        f"warning: {name}: build/{name}: still points to an earlier build's result"
        for name in ("nano-cpu-int8", "nano-cpu-int4")
    }
