"""Runs one step on a worker of a cluster: the function that a client submits, and the one that stops it."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from distributed import get_worker

from gpt2forge.cluster.environment import read_environment
from gpt2forge.cluster.task_json import read_task
from gpt2forge.errors import UserError
from gpt2forge.executor.events import Emit, Event
from gpt2forge.executor.stage_crash import StageCrash
from gpt2forge.executor.step import run_task

RUNNING: dict[str, set[threading.Event]] = {}
"""The events that stop the steps which this process runs, by the topic of their build."""
STOPPED: set[str] = set()
"""The topics of builds that were interrupted. A step of theirs that is only about to start is stopped too."""
LOCK = threading.Lock()

Reply = Mapping[str, Any]
"""{outcome, digest} of a step that was made, {fault: an error that the user can fix} or {crash: a bug}."""


class StepStopped(Exception):
    """The build that submitted a step was interrupted. Another build that waits for the step submits it itself."""


def run_step(text: str, *inputs: object) -> Reply:
    """Run the step that `task_json.write_task` describes.

    `inputs` are the replies of the steps that made what it reads: Dask places it near them. Raises OSError, which Dask
    answers with another try, and StepStopped.
    """
    value = json.loads(text)
    worker = get_worker()
    try:
        with listen_for_stop(value["topic"]) as stop:
            task = read_task(value, str(worker.name))
            with task.store.hold():
                outcome = run_task(task, make_emit(value["topic"], task.key), stop)
    except UserError as error:
        return {"fault": str(error).splitlines()}
    except StageCrash as error:
        return {"crash": error.last}
    except KeyboardInterrupt:
        raise StepStopped from None
    return {"outcome": outcome.outcome, "digest": outcome.digest}


@contextmanager
def listen_for_stop(topic: str) -> Iterator[threading.Event]:
    """Yield an event that `stop_steps` sets."""
    stop = threading.Event()
    with LOCK:
        RUNNING.setdefault(topic, set()).add(stop)
        if topic in STOPPED:
            stop.set()
    try:
        yield stop
    finally:
        with LOCK:
            RUNNING[topic].discard(stop)


def stop_steps(topic: str) -> None:
    """Stop the steps of a build that this process runs."""
    with LOCK:
        STOPPED.add(topic)
        for stop in RUNNING.get(topic, ()):
            stop.set()


def make_emit(topic: str, key: str) -> Emit:
    """Return a function that sends the events of a step to its client."""
    worker = get_worker()

    def emit(event: Event) -> None:
        worker.log_event(topic, {"key": key, "event": event.to_json()})

    return emit


def describe_environment() -> dict[str, Any]:
    """Describe the environment of this process, as JSON."""
    return read_environment().to_json()
