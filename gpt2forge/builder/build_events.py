"""The events of a build: a checkpoint that was fetched, those of its steps, and the last one of each recipe."""

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


@dataclass(frozen=True)
class SourceFetched:
    """A checkpoint was fetched from `address`: `commit` is None if it is not a repository's, `bytes` arrived now."""

    address: str
    commit: str | None
    bytes: int
    recipe: str

    def to_json(self) -> dict[str, Any]:
        return {"event": "source_fetched", **self.__dict__}


BuildEvent = Event | SourceFetched | RunFinished
Emit = Callable[[BuildEvent], None]
