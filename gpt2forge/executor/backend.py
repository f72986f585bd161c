"""Chooses where the steps of a run are worked on: in processes of this machine, or on the workers of a cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from gpt2forge.executor.events import Emit
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.step import run_task
from gpt2forge.executor.task import Task
from gpt2forge.plan.machine import Machine


class Backend(Protocol):
    """Runs tasks. `lanes` is how many it takes at once, each from a thread of its own.

    `machine` are the facts that enter the keys of steps which depend on the machine; None for those of this machine.
    """

    @property
    def lanes(self) -> int: ...

    @property
    def machine(self) -> Machine | None: ...

    def fits(self, task: Task, running: Sequence[Task]) -> bool:
        """Return whether a task may start beside the running ones."""

    def run(self, task: Task, emit: Emit, stop: Event) -> Outcome:
        """Run a task, unless another build has run it in the meantime.

        Raises the error that ended it; KeyboardInterrupt if `stop` is set.
        """


@dataclass(frozen=True)
class LocalBackend:
    """Processes of this machine, within its resources.

    Tasks that run at once stay within the memory, as estimated; one may always run. A step that uses all processors
    runs alone: two such steps at once take longer than one after the other, because their threads spin while they wait.
    """

    resources: Resources
    machine: Machine | None = None

    @property
    def lanes(self) -> int:
        return self.resources.jobs

    def fits(self, task: Task, running: Sequence[Task]) -> bool:
        if not running:
            return True
        if any(each.stage.uses_all_processors for each in (task, *running)):
            return False
        return sum(each.memory for each in (task, *running)) <= self.resources.memory

    def run(self, task: Task, emit: Emit, stop: Event) -> Outcome:
        return run_task(task, emit, stop)
