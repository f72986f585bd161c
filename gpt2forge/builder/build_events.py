"""The events of a build: those of its steps, and the last one of each recipe."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpt2forge.builder.report import Report
from gpt2forge.executor.events import Event


@dataclass(frozen=True)
class RunFinished:
    """The last event of a recipe."""

    report: Report

    def to_json(self) -> dict[str, Any]:
        return {"event": "run_finished", "report": self.report.to_json()}


BuildEvent = Event | RunFinished
Emit = Callable[[BuildEvent], None]
