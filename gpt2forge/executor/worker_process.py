"""Starts a worker, reads its messages, and measures its memory until it ends."""

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from gpt2forge.checked_import import CHANGED, make_command
from gpt2forge.digest import Written
from gpt2forge.errors import UserError
from gpt2forge.executor.stage_crash import StageCrash
from gpt2forge.executor.worker_environment import make_environment
from gpt2forge.measure.memory import measure_anonymous
from gpt2forge.store.rights import find_umask

SAMPLE = 0.02  # seconds between two samples of the worker's memory
KILLED: dict[int, str] = {
    signal.SIGKILL: "with enough free memory",
    signal.SIGTERM: "with enough free memory",
    signal.SIGXCPU: "without that limit on processor time (`ulimit -t`)",
    signal.SIGHUP: "with a terminal that stays open",
    signal.SIGBUS: "with enough free space, and files that nothing else cuts off",
    signal.SIGILL: "on a processor that has the instructions of the installed libraries",
}
"""The needs of a stage that was killed from outside, by signal."""
EXHAUSTED_SIGNS = (
    *("Resource temporarily unavailable", "can't start new thread", "pthread_create failed"),
    *("bad_alloc", "bad allocation", "Cannot allocate memory", "Memory allocation still failed", "MemoryError"),
)
"""The words of Python, OpenBLAS, PyTorch and ONNX Runtime when the system refuses memory or a thread."""
LOG_END = 1 << 14  # bytes at the end of a log that are searched for these


@dataclass(frozen=True)
class WorkerResult:
    """The result of a worker that ended without an error.

    `peak_memory_bytes` is the anonymous memory of its process tree. `written` holds the files that it hashed while
    it wrote them, by name.
    """

    metrics: dict[str, Any]
    seconds: float
    peak_memory_bytes: int
    written: dict[str, Written] = field(default_factory=dict)


def run_worker(
    stage: str,
    *,
    request: dict[str, Any],
    code: Mapping[str, str],
    log: Path,
    locks: tuple[int, ...],
    advance: Callable[[int, int, str], None],
    stop: Event,
    observe: Callable[[int], None] = lambda memory: None,
) -> WorkerResult:
    """Run one stage in its own process. `code` are the digests of the sources that its key covers, by module.

    `observe` is called with each sample of its memory in bytes.

    The worker inherits the descriptors `locks`, so that the step stays locked until the worker has ended, even if
    this process is killed. Raises UserError for an error that the user can fix and for a killed worker, StageCrash
    for any other failure, KeyboardInterrupt if `stop` is set.
    """
    started = time.monotonic()
    ours, theirs = os.pipe()
    with log.open("wb") as output, os.fdopen(ours, "rb", buffering=0) as events:
        try:
            worker = start(output.fileno(), (theirs, *locks), code, find_umask(Path(request["out"])))
        finally:
            os.close(theirs)
        try:
            send_request(worker, {**request, "events": theirs})
            messages, peak = listen(worker.pid, events, advance=advance, stop=stop, observe=observe)
            status = worker.wait()
        finally:
            end(worker)
    result = WorkerResult({}, time.monotonic() - started, peak)
    return interpret_end(stage, messages, code=status, log=log, result=result)


def describe_change(stage: str) -> str:
    """Return the error for code that is no longer what the key of a step names."""
    return f"`{stage}`: gpt2forge or a tool changed while the build ran; build again"


def start(output: int, descriptors: tuple[int, ...], code: Mapping[str, str], umask: int) -> subprocess.Popen[bytes]:
    """Start a worker that runs `code`, writes its log to the descriptor `output`, and inherits the others."""
    # In its own session, so that Ctrl-C reaches only this process, which then ends the worker.
    return subprocess.Popen(
        make_command("gpt2forge.stages.worker"),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        pass_fds=descriptors,
        env=make_environment(code),
        start_new_session=True,
        umask=umask,
    )


def send_request(worker: subprocess.Popen[bytes], request: dict[str, Any]) -> None:
    """Send the request to the worker, and leave the pipe open: the worker ends when the pipe closes."""
    assert worker.stdin is not None
    with suppress(BrokenPipeError):  # the worker died at once: its exit code says more than a broken pipe
        worker.stdin.write(json.dumps(request).encode() + b"\n")
        worker.stdin.flush()


def end(worker: subprocess.Popen[bytes]) -> None:
    """End the worker if it still runs, and close the pipe to it."""
    worker.kill()
    worker.wait()
    assert worker.stdin is not None
    with suppress(BrokenPipeError):  # it ended before it read all of the request
        worker.stdin.close()


def listen(
    pid: int,
    events: Any,
    *,
    advance: Callable[[int, int, str], None],
    stop: Event,
    observe: Callable[[int], None],
) -> tuple[dict[str, Any], int]:
    """Read messages until the worker closes the pipe; return the last of each kind, and its peak memory in bytes."""
    messages: dict[str, Any] = {}
    peak, pending = 0, b""
    with selectors.DefaultSelector() as selector:
        selector.register(events, selectors.EVENT_READ)
        while True:
            ready = selector.select(SAMPLE)
            if stop.is_set():
                raise KeyboardInterrupt
            memory = measure_anonymous(pid)
            observe(memory)
            peak = max(peak, memory)
            if not ready:
                continue
            piece = events.read(1 << 16)
            if not piece:
                return messages, peak
            *lines, pending = (pending + piece).split(b"\n")
            for line in lines:
                message = json.loads(line)
                messages |= message
                if "advance" in message:
                    advance(*message["advance"])


def is_exhausted(last: str, log: Path) -> bool:
    """Return whether the last message of a worker, or the end of its log, says that the system refused it something.

    Libraries end the process then, each in its own way.
    """
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_END))
        end = file.read(LOG_END).decode(errors="replace")
    return any(sign in text for sign in EXHAUSTED_SIGNS for text in (last, end))


def interpret_end(stage: str, messages: dict[str, Any], *, code: int, log: Path, result: WorkerResult) -> WorkerResult:
    """Return the result of a worker that has ended. Raises the errors that `run_worker` lists."""
    if "fault" in messages:
        raise UserError(*messages["fault"].splitlines())
    if code == CHANGED:
        raise UserError(describe_change(stage))
    if -code in KILLED:
        name = signal.Signals(-code).name
        raise UserError(
            f"`{stage}` was killed by {name}; {KILLED[-code]}, build again to go on from the last good step"
        )
    if code or "metrics" not in messages:
        last = messages.get("crash", f"exit code {code}")
        if is_exhausted(last, log):
            raise UserError(
                f"`{stage}` ran out of memory, processes or threads; raise the limit (`ulimit -a`, the container's) "
                f"and build again; its log is `{log}`"
            )
        raise StageCrash(stage, log, last)
    written = {name: Written(**file) for name, file in messages.get("written", {}).items()}
    return replace(result, metrics=messages["metrics"], written=written)
