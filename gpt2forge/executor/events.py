"""The events of the steps of a run, which the executor emits and a console shows.

`recipe` is the name of the recipe whose step it is; a step that several share is made for the first of them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gpt2forge.executor.outcome import Outcome
from gpt2forge.stages.throttle import Throttle


@dataclass(frozen=True)
class StepStarted:
    """A step is being made because of `reason`."""

    stage: str
    reason: str
    recipe: str

    def to_json(self) -> dict[str, Any]:
        return {"event": "step_started", **self.__dict__}


@dataclass(frozen=True)
class StepWaiting:
    """A step waits for something to end."""

    stage: str
    what: str
    recipe: str

    def to_json(self) -> dict[str, Any]:
        return {"event": "step_waiting", **self.__dict__}


@dataclass(frozen=True)
class StepAdvanced:
    """A step has done `done` of `total` units, at `rate` units a second; `seconds_left` is None while unknown."""

    stage: str
    done: int
    total: int
    unit: str
    rate: float
    seconds_left: float | None
    recipe: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"event": "step_advanced", **self.__dict__}


@dataclass(frozen=True)
class StepFinished:
    """A step has its outcome."""

    outcome: Outcome
    recipe: str

    def to_json(self) -> dict[str, Any]:
        return {"event": "step_finished", "recipe": self.recipe, **self.outcome.to_json()}


Event = StepStarted | StepWaiting | StepAdvanced | StepFinished
Emit = Callable[[Event], None]


@dataclass
class Meter:
    """Turns (done, total, unit) into events with a rate and an estimate, ten a second at most."""

    stage: str
    emit: Emit
    recipe: str = ""
    started: float = field(default_factory=time.monotonic)
    throttle: Throttle = field(default_factory=lambda: Throttle(per_second=10))

    def advance(self, done: int, total: int, unit: str) -> None:
        if not self.throttle.is_due(done, total):
            return
        taken = time.monotonic() - self.started
        rate = done / taken if taken > 0 else 0.0
        left = (total - done) / rate if rate else None
        self.emit(StepAdvanced(self.stage, done, total, unit, rate, left, self.recipe))
