"""Waits for the processor to be as fast as it was: others' work on a shared machine may halve its speed for seconds."""

import sys
import time
from dataclasses import dataclass
from typing import Any

SIZE = 1024  # rows of a float32 matrix product, which takes some milliseconds: long enough to need every thread
TRIES = 3
SLACK = 1.2  # times the fastest product so far
PATIENCE = 2.0  # seconds, for one measurement
BUDGET = 30.0  # seconds, for all of a model
REST = 0.1  # seconds between two products


def report(what: str) -> None:
    """Print what is being done, with the time: the bench runs for half an hour, and somebody may be watching."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


@dataclass
class Gate:
    """Lets each measurement pass when the machine is quiet.

    `budget` is how many seconds all waiting may take. `fastest` is in seconds of one product; `waited` seconds in all;
    `gave_up` counts measurements that began on a busy machine.
    """

    budget: float = BUDGET
    matrix: Any = None
    fastest: float = float("inf")
    waited: float = 0.0
    passed: int = 0
    gave_up: int = 0

    def wait(self) -> None:
        """Return when a product takes about as long as the fastest one, at the latest when patience ends."""
        self.passed += 1
        if self.waited >= self.budget or self.is_fast():
            return
        began = time.monotonic()
        while not self.is_fast():
            if time.monotonic() - began > PATIENCE:
                self.gave_up += 1
                break
            time.sleep(REST)
        self.waited += time.monotonic() - began

    def is_fast(self) -> bool:
        taken = self.probe()
        self.fastest = min(self.fastest, taken)
        return taken <= SLACK * self.fastest

    def probe(self) -> float:
        """Return the seconds of a matrix product, the median of a few."""
        import torch

        if self.matrix is None:
            self.matrix = torch.rand(SIZE, SIZE)
        taken = []
        for _ in range(TRIES):
            began = time.perf_counter()
            self.matrix @ self.matrix
            taken.append(time.perf_counter() - began)
        return sorted(taken)[TRIES // 2]

    def to_json(self) -> dict[str, float]:
        return {"waited_s": self.waited, "passed": self.passed, "gave_up": self.gave_up}
