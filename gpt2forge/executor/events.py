"""The events of a run: the executor emits them, the console shows them.

`recipe` is the name of the step's recipe; a step that several recipes share runs for the first of them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gpt2forge.executor.outcome import Outcome
from gpt2forge.stages.throttle import Throttle


@dataclass(frozen=True)
class StepStarted:
    """A step has started, because of `reason`; it is expected to take `expected_seconds`, None if it never ran."""

    stage: str
    reason: str
    recipe: str
    expected_seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {"event": "step_started", **self.__dict__}


@dataclass(frozen=True)
class StepWaiting:
    """A step waits for another process, which `what` names."""

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
class StepSampled:
    """A step uses `memory_bytes` of anonymous memory."""

    stage: str
    memory_bytes: int
    recipe: str

    def to_json(self) -> dict[str, Any]:
        return {"event": "step_sampled", **self.__dict__}


@dataclass(frozen=True)
class StepFinished:
    """A step has its outcome."""

    outcome: Outcome
    recipe: str

    def to_json(self) -> dict[str, Any]:
        return {"event": "step_finished", "recipe": self.recipe, **self.outcome.to_json()}


Event = StepStarted | StepWaiting | StepAdvanced | StepSampled | StepFinished
Emit = Callable[[Event], None]


@dataclass
class Meter:
    """Emits progress events with a rate and the seconds left, at most ten per second."""

    stage: str
    emit: Emit
    recipe: str = ""
    started: float = field(default_factory=time.monotonic)
    throttle: Throttle = field(default_factory=lambda: Throttle(per_second=10))

    def advance(self, done: int, total: int, unit: str) -> None:
        """Emit an event for `done` of `total` units, if one is due."""
        if not self.throttle.is_due(done, total):
            return
        elapsed = time.monotonic() - self.started
        rate = done / elapsed if elapsed > 0 else 0.0
        left = (total - done) / rate if rate else None
        self.emit(
            StepAdvanced(
                stage=self.stage,
                done=done,
                total=total,
                unit=unit,
                rate=rate,
                seconds_left=left,
                recipe=self.recipe,
            )
        )


@dataclass
class Gauge:
    """Emits the memory of a step once a second, from its first second on."""

    stage: str
    emit: Emit
    recipe: str
    last: float = field(default_factory=time.monotonic)

    def observe(self, memory: int) -> None:
        """Emit an event for the bytes that the step uses now, if one is due."""
        now = time.monotonic()
        if now - self.last >= 1:
            self.last = now
            self.emit(StepSampled(self.stage, memory, self.recipe))
