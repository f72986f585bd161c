"""The seconds that a run is expected to take from now on, by what its steps took before."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Step = tuple[str, str]
"""A recipe and a stage."""


@dataclass
class TimeLeft:
    """The steps that have not ended, each with the seconds that it is expected to take, and when it started.

    Steps that run at the same time count one after the other, so the sum is at most what is left.
    """

    expected: dict[Step, float] = field(default_factory=dict)
    started: dict[Step, float] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic

    def plan(self, expected: Mapping[Step, float]) -> None:
        """Add the steps of a run."""
        self.expected |= expected

    def start(self, recipe: str, stage: str) -> None:
        """Note that a step has started."""
        self.started[recipe, stage] = self.clock()

    def finish(self, recipe: str, stage: str) -> None:
        """Take out a step that has ended."""
        self.expected.pop((recipe, stage), None)

    def find(self) -> float:
        """Return the seconds left."""
        now = self.clock()
        return sum(max(0.0, seconds - (now - self.started.get(step, now))) for step, seconds in self.expected.items())
