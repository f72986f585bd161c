"""Limits of time on what levels may take, so that none holds up a build."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gpt2forge.fetch.retry import Unreachable

Value = TypeVar("Value")

ANSWER = 1.5  # seconds for a small request, with all its tries
PAUSES = (0.1, 0.2, 0.4)  # seconds before each further try
LEAST = 10.0  # seconds for a transfer of any size
SLOWEST = 1e6  # bytes a second; a slower level costs more than making the step again
STALL = 2.0  # seconds without a byte
SETTLING = 1e8  # bytes a second at which a server writes what it was sent to its disk


def limit_transfer(size: int) -> float:
    """Return how many seconds a transfer of `size` bytes may take."""
    return LEAST + size / SLOWEST


def limit_answer(size: int) -> float:
    """Return how many seconds a server may take to answer after it was sent `size` bytes."""
    return STALL + size / SETTLING


@dataclass(frozen=True)
class Deadline:
    """The time at which a transfer of `size` bytes is given up; `name` is that of its level."""

    name: str
    size: int
    began: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """Raise Unreachable after the deadline."""
        if time.monotonic() - self.began > limit_transfer(self.size):
            raise give_up(self.name, f"{self.size} bytes took more than {limit_transfer(self.size):.0f} s")


def give_up(name: str, why: str) -> Unreachable:
    """Return the error for a level that is not worth another try."""
    return Unreachable(f"{name}: {why}", "check the network or the server", is_final=True)


def within(seconds: float, work: Callable[[], Value], name: str) -> Value:
    """Return what `work` returns. Raises Unreachable if that takes longer; the work may then go on unheeded.

    A thread does it, because looking up a host, or any call on a network file system whose server is gone, can block
    for minutes, and nothing ends it.
    """
    results: list[Value] = []
    errors: list[BaseException] = []
    thread = threading.Thread(target=keep_result, args=(work, results, errors), daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise give_up(name, f"no answer in {seconds:.1f} s")
    return results[0]


def keep_result(work: Callable[[], Value], results: list[Value], errors: list[BaseException]) -> None:
    """Add what `work` returns to the results, or what it raises to the errors."""
    try:
        results.append(work())
    except BaseException as error:
        errors.append(error)
