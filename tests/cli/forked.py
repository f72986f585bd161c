"""Runs a command line in a fork of this process, with an environment, limits and streams of its own."""

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gpt2forge import main as entry_point

CPU = 10  # seconds
WALL = 90  # seconds; a process that waits for ever uses no processor


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal, and what it wrote."""

    code: int
    stdout: str
    stderr: str


def run_forked(
    words: Sequence[str], folder: Path, *, environment: dict[str, str], limit: tuple[int, int] | None, stream: str
) -> Ended:
    """Run a command in a child of this process, which has imported what commands import."""
    with tempfile.TemporaryDirectory() as place:
        outputs = [Path(place, "stdout"), Path(place, "stderr")]
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = 99
            try:
                prepare_child(folder, outputs, environment=environment, limit=limit, stream=stream)
                code = run_here(words)
            finally:
                os._exit(code)  # nothing of the parent's may be cleaned up here
        code = wait(child)
        texts = [
            path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else "" for path in outputs
        ]
    return Ended(code, *texts)


def prepare_child(
    folder: Path, outputs: Sequence[Path], *, environment: dict[str, str], limit: tuple[int, int] | None, stream: str
) -> None:
    os.setsid()
    flags = os.O_WRONLY | os.O_CREAT
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(outputs[1], flags), 2)
    os.dup2(open_stream(stream, outputs[0]), 1)
    if stream == "closed":
        sys.stdout = None  # type: ignore[assignment]  # as in a process that starts without one
    else:
        sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace")
    resource.setrlimit(resource.RLIMIT_CPU, (spent() + CPU, spent() + CPU))
    if limit:
        resource.setrlimit(limit[0], (limit[1], limit[1]))
    os.environ.update(environment)
    os.chdir(folder)


def spent() -> int:
    """Return the processor seconds of this process, a forked child's own."""
    return int(time.process_time()) + 1


def open_stream(stream: str, path: Path) -> int:
    if stream == "full" and Path("/dev/full").exists():
        return os.open("/dev/full", os.O_WRONLY)
    if stream == "gone":
        ours, theirs = os.pipe()
        os.close(ours)
        return theirs
    return os.open(path, os.O_WRONLY | os.O_CREAT)


def run_here(words: Sequence[str]) -> int:
    """Run the command line in this process, as its interpreter would, and return the exit code."""
    sys.argv = ["gpt2forge", *words]
    try:
        entry_point.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BaseException:
        traceback.print_exc()
        code = 3
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        code = code or 1
    with suppress(OSError):
        sys.stderr.flush()
    return code


def wait(child: int) -> int:
    """Wait for a child and return its exit code; kill its whole session after WALL seconds."""
    end = time.monotonic() + WALL
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL
