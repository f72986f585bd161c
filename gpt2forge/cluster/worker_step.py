"""Runs one step on a worker of a cluster: the function that a client submits, and the one that stops it."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import get_worker

from gpt2forge.cluster.environment import read_environment
from gpt2forge.cluster.exchange import make_watch, open_exchange
from gpt2forge.cluster.own_store import OWN_STORE, open_own_store
from gpt2forge.cluster.task_json import open_shared_store, parse_sources, read_task, take_inputs
from gpt2forge.errors import UserError
from gpt2forge.executor.events import Emit, Event
from gpt2forge.executor.stage_crash import StageCrash
from gpt2forge.executor.step import run_task
from gpt2forge.plan.source import Source
from gpt2forge.remote.reach import OF_ONE_BLOB
from gpt2forge.store.store import Store

RUNNING: dict[str, set[threading.Event]] = {}
"""The events that stop the steps which this process runs, by the topic of their build."""
STOPPED: set[str] = set()
"""The topics of builds that were interrupted. A step of theirs that is only about to start is stopped too."""
LOCK = threading.Lock()
LONGEST_LOG = 1 << 16  # characters

Reply = Mapping[str, Any]
"""{outcome, digest} of a step that was made, {fault: an error that the user can fix} or {crash: a bug}.

Through an exchange, {outcome, digest, made}, see `Exchange.send_made`; {crash, log: its end}; or {unusable: blobs that
must be written anew}.
"""


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
            return run_described(value, str(worker.name), make_emit(value["topic"], value["key"]), stop)
    except UserError as error:
        return {"fault": str(error).splitlines()}
    except StageCrash as error:
        return {"crash": error.last, **({"log": read_end(error.log)} if value["exchange"] else {})}
    except KeyboardInterrupt:
        raise StepStopped from None


def read_end(log: Path) -> str:
    """Return the end of a log, which a client may not be able to read."""
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-LONGEST_LOG:]
    except OSError:
        return ""


def run_described(value: Mapping[str, Any], worker: str, emit: Emit, stop: threading.Event) -> Reply:
    """Run the step that a JSON value describes on the worker of this name; return the reply of one that was made."""
    if value["exchange"]:
        with name_worker(worker):
            own = open_own_store()
            with own.store.hold():
                reply = run_exchanged(value, own.store, worker, emit, stop)
            own.shrink()
            return reply
    store = open_shared_store(value, worker)
    with store.hold():
        outcome = run_task(read_task(value, store, parse_sources(value), worker), emit, stop)
    return {"outcome": outcome.outcome, "digest": outcome.digest}


def run_exchanged(value: Mapping[str, Any], store: Store, worker: str, emit: Emit, stop: threading.Event) -> Reply:
    """Take the inputs of a step from an exchange, run it, and send what it made.

    The reply is {unusable} instead if some of their blobs must be written anew.
    """
    watch = make_watch(value["stage"], value["recipe"], emit, stop)
    exchange = open_exchange(value["exchange"]["address"])
    exchange.note_unusable(value["exchange"]["unusable"])
    try:
        sources = take_inputs(value, store, exchange, watch)
    except OF_ONE_BLOB:
        return {"unusable": exchange.list_unusable()}
    with name_as_sent(value, sources):
        outcome = run_task(read_task(value, store, sources, worker), emit, stop)
    record = store.records.find(outcome.stage, str(outcome.key))
    if record is None:
        raise UserError(f"{store.root}: has lost what was made; build again")
    made = exchange.send_made(store, record, watch)
    return {"outcome": outcome.outcome, "digest": outcome.digest, "made": made}


@contextmanager
def name_worker(name: str) -> Iterator[None]:
    """Let errors that arise on a worker without its client's folders name the worker."""
    try:
        yield
    except UserError as error:
        raise UserError(*(f"the worker `{name}`: {line}" for line in str(error).splitlines())) from error
    except OSError as error:
        place = error.filename or OWN_STORE.absolute()
        raise OSError(error.errno, error.strerror, f"the worker `{name}`: {place}") from error


@contextmanager
def name_as_sent(value: Mapping[str, Any], sources: Mapping[str, Source]) -> Iterator[None]:
    """Let errors name a source by the path that its client knows."""
    try:
        yield
    except UserError as error:
        text = str(error)
        for kind, source in sources.items():
            text = text.replace(str(source.path), value["sources"][kind]["path"])
        raise UserError(*text.splitlines()) from error


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
