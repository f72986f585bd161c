"""Starts a contestant, gives it its turns, and watches its memory while it opens and takes its first turn."""

import signal
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from gpt2forge.checked_import import CHANGED, make_command
from gpt2forge.errors import UserError
from gpt2forge.measure.child import Child, ChildEnded, ChildError
from gpt2forge.measure.memory import Memory, read_own


class Contestant(AbstractContextManager["Contestant"]):
    """A system in a process of its own. `peak` is the most memory that the process held, `load_s` the seconds to open.

    `module` is the program of the process; `contestant` lists the requests that it answers.
    """

    def __init__(self, module: str, folder: Path, *, threads: int, capacity: int) -> None:
        self.child = Child(make_command(module))
        self.peak = Memory(0, 0)
        try:
            opened = self.ask({"folder": str(folder), "threads": threads, "capacity": capacity}, watched=True)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.load_s = float(opened["load_s"])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.__exit__(kind, error, trace)

    @property
    def pid(self) -> int:
        return self.child.process.pid

    def warm_up(self, prompt: list[int], new: int) -> None:
        """Take a turn that does not count: it lays out memory, which is watched."""
        self.ask({"prompt": prompt, "new": new}, watched=True)

    def take_turn(self, prompt: list[int], new: int) -> dict[str, Any]:
        """Return the milliseconds of one round, and what was written."""
        return self.ask({"prompt": prompt, "new": new}, watched=False)

    def measure_bandwidth(self, rows: int) -> float:
        """Return the speed, in GB/s, at which this machine reads memory now."""
        return float(self.ask({"bandwidth": rows}, watched=False)["gb_s"])

    def ask(self, request: dict[str, Any], watched: bool) -> dict[str, Any]:
        """Return the result of a request. Watching costs a little time, so a round that counts is not watched.

        Raises UserError when the process was killed, RuntimeError when it failed in another way.
        """
        try:
            result: dict[str, Any] = self.child.ask(request, self.watch if watched else None)
        except ChildEnded as end:
            raise describe_end(end.code) from end
        except ChildError as error:
            raise RuntimeError(f"a process of `benchmark` failed: {error}") from error
        return result

    def watch(self) -> None:
        now = read_own(self.pid)
        self.peak = Memory(max(self.peak.anonymous, now.anonymous), max(self.peak.mapped, now.mapped))


def describe_end(code: int) -> Exception:
    """Return the error for a contestant that ended during a request."""
    if -code in (signal.SIGKILL, signal.SIGTERM):
        name = signal.Signals(-code).name
        return UserError(
            f"a process of `benchmark` was killed by {name}; PyTorch needs at least 4 bytes of memory for each "
            "parameter: free some memory, or build with `--skip benchmark`"
        )
    if code == CHANGED:
        return UserError("`benchmark`: gpt2forge changed while the build ran; build again")
    return RuntimeError(f"a process of `benchmark` ended with exit code {code}")
