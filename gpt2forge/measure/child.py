"""Requests to a child process over pipes: one line of JSON in, lines of JSON out.

A request is a JSON object. The child answers each with any number of events, then with one result or one error:

    {"event": ...}    {"result": ...}    {"error": "ValueError: the message, on one line"}

The child ends when its standard input closes, also in the middle of a request, so that it never outlives its parent.
This module imports the standard library alone: children also run in environments without the dependencies of gpt2forge.
"""

import json
import os
import queue
import select
import subprocess
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

PIECE = 1 << 16  # bytes, for one read of a pipe
WATCH_INTERVAL = 0.02  # seconds between two calls of `watch`

Send = Callable[[Any], None]
Answer = Callable[[dict[str, Any], Send], Any]
"""Takes a request and a function that sends an event; returns the result."""


class ChildError(Exception):
    """A child answered a request with an error; the message is that line."""


class ChildEnded(Exception):
    """A child ended before it answered; `code` is its exit code, negative for a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the child process ended with exit code {code}")
        self.code = code


class Child(AbstractContextManager["Child"]):
    """A process that answers requests, as its parent sees it; leaving the `with` block kills it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stderr: IO[Any] | int | None = None,
    ) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=cwd, env=env, stdin=pipe, stdout=pipe, stderr=stderr)
        self.pending = b""  # what was read behind the last whole line

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, request: Mapping[str, Any], watch: Callable[[], None] | None = None) -> Any:
        """Send a request and return its result; ignore its events.

        `watch` is called every WATCH_INTERVAL seconds until the child answers. Raises ChildError and ChildEnded.
        """
        self.send(request)
        while True:
            kind, value = self.receive(watch)
            if kind == "result":
                return value

    def send(self, request: Mapping[str, Any]) -> None:
        """Send a request without waiting for its answers, which `receive` returns."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # `receive` reports the exit code, which says more than a broken pipe
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()

    def receive(self, watch: Callable[[], None] | None = None) -> tuple[str, Any]:
        """Return the kind, `event` or `result`, and the value of the next answer. Raises ChildError and ChildEnded."""
        ((kind, value),) = json.loads(self.read_line(watch)).items()
        if kind == "error":
            raise ChildError(value)
        return kind, value

    def read_line(self, watch: Callable[[], None] | None) -> bytes:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        while b"\n" not in self.pending:
            while watch and not select.select([descriptor], [], [], WATCH_INTERVAL)[0]:
                watch()
            piece = os.read(descriptor, PIECE)
            if not piece:
                raise ChildEnded(self.process.wait())
            self.pending += piece
        line, _, self.pending = self.pending.partition(b"\n")
        return line


def serve(answer: Answer) -> None:
    """Be the child: answer requests until standard input closes, then end the process.

    An exception of `answer` becomes an error of one line; its traceback goes to standard error, and so does all that
    libraries print.
    """
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer

    def reply(kind: str, value: Any) -> None:
        replies.write(json.dumps({kind: value}) + "\n")

    requests = start_reader()
    while True:
        try:
            reply("result", answer(json.loads(requests.get()), lambda event: reply("event", event)))
        except Exception as error:
            traceback.print_exc()
            reply("error", " ".join(f"{type(error).__name__}: {error}".split()))


def start_reader() -> "queue.SimpleQueue[bytes]":
    """Start a thread that reads standard input, and return the queue of its lines.

    The thread ends the process when standard input closes.
    """
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        # Not through sys.stdin: a thread that waits inside a buffered reader makes the interpreter abort at its end.
        pending = b""
        while piece := os.read(0, PIECE):
            *lines, pending = (pending + piece).split(b"\n")
            for line in lines:
                requests.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return requests
