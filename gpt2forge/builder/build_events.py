"""The events of a build: a fetched checkpoint, the plan, those of its steps, and the last one of each recipe."""

from collections.abc import Callable, Mapping
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


@dataclass(frozen=True)
class SourceFetched:
    """A checkpoint was fetched from `address`: `commit` is None if it is not a repository's, `bytes` arrived now."""

    address: str
    commit: str | None
    bytes: int
    recipe: str

    def to_json(self) -> dict[str, Any]:
        return {"event": "source_fetched", **self.__dict__}


@dataclass(frozen=True)
class RunPlanned:
    """The steps that will or may run, each once, and the seconds that each is expected to take.

    A step that never ran is not listed.
    """

    expected: Mapping[tuple[str, str], float]

    def to_json(self) -> dict[str, Any]:
        steps = [{"recipe": recipe, "stage": stage, "seconds": each} for (recipe, stage), each in self.expected.items()]
        return {"event": "run_planned", "steps": steps}


BuildEvent = Event | SourceFetched | RunPlanned | RunFinished
Emit = Callable[[BuildEvent], None]
