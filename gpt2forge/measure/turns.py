"""Starts a contestant, gives it its turns, and watches its memory while it opens and takes its first."""

import json
import select
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from gpt2forge.errors import UserError
from gpt2forge.measure.memory import Memory, read_own

SAMPLE = 0.02  # seconds between two looks at the memory


@dataclass(frozen=True)
class Order:
    """What a contestant is to open: see `contestant`; `module` is the program of its process."""

    module: str
    folder: str
    threads: int
    capacity: int


class Contestant(AbstractContextManager["Contestant"]):
    """A system in a process of its own; `peak` is what it held at most."""

    def __init__(self, order: Order) -> None:
        command = [sys.executable, "-P", "-m", order.module]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.peak = Memory(0, 0)
        try:
            self.load_s = float(self.ask(vars(order), watched=True)["load_s"])
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def warm_up(self, prompt: list[int], new: int) -> None:
        """A turn that does not count: memory is laid out, and watched."""
        self.ask({"prompt": prompt, "new": new}, watched=True)

    def take_turn(self, prompt: list[int], new: int) -> dict[str, Any]:
        """Milliseconds of one round."""
        return self.ask({"prompt": prompt, "new": new}, watched=False)

    def measure_bandwidth(self, rows: int) -> float:
        """GB/s at which this machine reads memory now."""
        return float(self.ask({"bandwidth": rows}, watched=False)["gb_s"])

    def ask(self, message: dict[str, Any], watched: bool) -> dict[str, Any]:
        """Give a line and take one. Watching costs a little time, so it is not done in a round that counts."""
        assert self.process.stdin and self.process.stdout
        with suppress(BrokenPipeError):  # it died: its end says more than a broken pipe
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        while watched and not select.select([self.process.stdout], [], [], SAMPLE)[0]:
            self.look()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline() or "null")
        if answer is None:
            raise describe_end(self.process.wait())
        return answer

    def look(self) -> None:
        now = read_own(self.process.pid)
        self.peak = Memory(max(self.peak.anonymous, now.anonymous), max(self.peak.mapped, now.mapped))


def describe_end(code: int) -> Exception:
    """What the end of a contestant in the middle of things means."""
    if -code in (signal.SIGKILL, signal.SIGTERM):
        name = signal.Signals(-code).name
        return UserError(
            f"a process of `benchmark` was killed by {name}; PyTorch needs 4 bytes a parameter and more: free some "
            "memory, or build with `--skip benchmark`"
        )
    return RuntimeError(f"the process of a system ended with code {code}")
