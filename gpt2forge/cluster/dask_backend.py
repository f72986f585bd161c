"""The workers of a Dask cluster as a backend: each step is one task of Dask, whose scheduler does the rest.

1. A step is submitted once its inputs are made, under a name with its stage, key and store. So steps of equal keys run
   once, also those of several builds with one store.
2. It asks for the resources of `environment.py`. Dask gives it to a worker that has them free, if possible to one that
   made its inputs, and to another one if its worker dies.
3. The worker runs it as a local build does. The record in the store is the truth, and a reply of Dask only says that it
   is time to look there.
4. An interrupted build stops its running steps. A build whose process is gone does not: they finish, and their records
   stay.
5. If the scheduler goes away, the build waits RETURN for one at its address, and submits again what has no reply. A
   worker that still runs such a step holds its key, so the step is not made twice.
"""

import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Lock
from typing import Any
from uuid import uuid4

from distributed import Client, Future, KilledWorker
from distributed.client import ClosedClientError
from distributed.comm.core import CommClosedError

from gpt2forge.cluster.environment import MEMORY, WorkerOffer, list_labels
from gpt2forge.cluster.exchange import Exchange, make_watch
from gpt2forge.cluster.explain_unfit import explain_unfit
from gpt2forge.cluster.task_json import parse_event, write_task
from gpt2forge.cluster.worker_step import Reply, StepStopped, run_step, stop_steps
from gpt2forge.digest import digest_value
from gpt2forge.errors import UserError
from gpt2forge.executor.events import Emit, StepWaiting
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.stage_crash import StageCrash
from gpt2forge.executor.step import Waiting, lock_task, make_outcome, run_task, take_made
from gpt2forge.executor.task import Task
from gpt2forge.plan.machine import Machine
from gpt2forge.remote.reach import OF_ONE_BLOB
from gpt2forge.store.records import Record

POLL = 0.2  # seconds between two looks at whether the build is interrupted
GRACE = 15.0  # seconds in which a nanny restarts a worker
RETURN = 300.0  # seconds in which a scheduler that went away may come back
CONNECT = 3.0  # seconds in which a scheduler answers
SETTLING = 5.0  # seconds in which a shared file system shows a new file
RETRIES = 2
LEAST_LANES = 64

Queue = SimpleQueue[Any]


class ReplyOutdated(UserError):
    """The artifact that a reply names is not in the store, or blobs are not in the exchange: they were removed since.

    Or the worker has another store.
    """


class SchedulerLost(UserError):
    """The connection to the scheduler is gone, and with it all that the scheduler knew of this build."""


@dataclass(frozen=True)
class Link:
    """A connection to a scheduler; `replies` are the futures of what was made through it, by digest."""

    client: Client
    replies: dict[str, Future[Reply]] = field(default_factory=dict)

    def close(self) -> None:
        """Disconnect, also from a scheduler that is gone."""
        with suppress(OSError, RuntimeError):
            self.client.close(timeout=CONNECT)


LOST = (CancelledError, ClosedClientError, CommClosedError)
"""The errors of a client whose scheduler went away."""


@dataclass
class DaskBackend:
    """A client of a Dask cluster. `label` names the environment that workers must have, `machine` their facts.

    `exchange` carries files to workers that do not share a file system with this machine, and back.

    The last of `links` is in use. The others are lost: steps that were submitted through them may not know yet.
    `queues` take the events of the steps under way, by key; None ends one. `returning` is held while a new link is
    made. `is_gone`: the scheduler did not come back.
    """

    links: list[Link]
    address: str
    label: str
    machine: Machine | None
    exchange: Exchange | None = None
    topic: str = field(default_factory=lambda: f"gpt2forge-{uuid4().hex}")
    queues: dict[str, Queue] = field(default_factory=dict)
    returning: Lock = field(default_factory=Lock)
    is_gone: bool = False

    def __post_init__(self) -> None:
        self.link.client.subscribe_topic(self.topic, self.receive)

    @property
    def link(self) -> Link:
        return self.links[-1]

    @property
    def lanes(self) -> int:
        with suppress(OSError, RuntimeError):  # a lost scheduler is waited for by the steps
            return max(LEAST_LANES, 2 * len(list_workers(self.link.client)))
        return LEAST_LANES

    def fits(self, task: Task, running: Sequence[Task]) -> bool:
        return True  # Dask knows what its workers have free

    def receive(self, message: tuple[float, Any]) -> None:
        """Take an event that a worker has sent; that of a step which has ended meanwhile is dropped."""
        _, content = message
        if queue := self.queues.get(content["key"]):
            queue.put(content["event"])

    def list_workers(self, link: Link) -> list[WorkerOffer]:
        """List the workers. Raises SchedulerLost."""
        try:
            return list_workers(link.client)
        except (OSError, RuntimeError) as error:
            raise self.describe_loss() from error

    def describe_loss(self) -> SchedulerLost:
        waited = f"and did not come back in {RETURN:.0f} seconds"
        return SchedulerLost(
            f"{self.address}: the scheduler went away, {waited}; start it and build again, finished steps are kept"
        )

    def run(self, task: Task, emit: Emit, stop: Event) -> Outcome:
        if task.equivalent:  # a copy inside the store, which no worker is needed for
            return run_task(task, emit, stop)
        if task.store.has_remote:
            with lock_task(task, emit, stop):
                if made := take_made(task, emit, stop):
                    return made
        name = name_task(task, self.exchange)
        alone = f"{name}-{uuid4().hex}"
        try:
            return self.run_as(task, alone if task.is_rerun else name, emit, stop)
        except (StepStopped, ReplyOutdated):  # of another build that asked for the same step
            return self.run_as(task, f"{alone}-again", emit, stop)

    def run_as(self, task: Task, name: str, emit: Emit, stop: Event) -> Outcome:
        """Run a task under a name of Dask's. Raises ReplyOutdated if its artifact is not in the store."""
        reply = self.get_reply(task, name, emit, stop)
        self.bring_made(task, reply, emit, stop)
        record = find_record(task, reply)
        if record is None:
            folder = task.store.artifacts.folder(str(reply["digest"]))
            raise ReplyOutdated(f"{folder}: a worker of {self.address} made it, and it is not here; share the folder")
        return make_outcome(record, reply["outcome"], task.reason if reply["outcome"] == "built" else "")

    def bring_made(self, task: Task, reply: Reply, emit: Emit, stop: Event) -> None:
        """Bring what a worker without our store has made. Raises ReplyOutdated if blobs must be written anew."""
        if self.exchange is None:
            return
        if "unusable" in reply:
            self.exchange.note_unusable(reply["unusable"])
            raise ReplyOutdated(f"{self.exchange.reach.name}: does not keep what is written to it; use another one")
        try:
            self.exchange.take_made(reply["made"], task, make_watch(task.stage.name, task.recipe, emit, stop))
        except OF_ONE_BLOB as error:
            raise ReplyOutdated(str(error)) from error

    def get_reply(self, task: Task, name: str, emit: Emit, stop: Event) -> Reply:
        """Submit a task until a scheduler has seen it through, and return its reply (rule 5)."""
        while True:
            link = self.link
            try:
                return self.submit(link, task, name, emit, stop)
            except SchedulerLost as error:
                self.find_scheduler(link, task, emit, stop, error)

    def find_scheduler(self, lost: Link, task: Task, emit: Emit, stop: Event, error: SchedulerLost) -> None:
        """Wait for a scheduler to come back in place of a lost one, and connect to it. Raises the error if none does.

        The steps under way wait together: the first of them connects for all.
        """
        event = StepWaiting(task.stage.name, f"the scheduler of {self.address} to come back", task.recipe)
        waiting, began = Waiting(lambda: emit(event), stop), time.monotonic()
        with self.returning:
            while self.link is lost:
                waiting()
                if self.is_gone or time.monotonic() - began > RETURN:
                    self.is_gone = True
                    raise error
                try:
                    link = Link(connect(self.address))
                    link.client.subscribe_topic(self.topic, self.receive)
                    self.links.append(link)
                except (OSError, ClosedClientError):
                    time.sleep(POLL)

    def submit(self, link: Link, task: Task, name: str, emit: Emit, stop: Event) -> Reply:
        """Submit a task, emit its events, and return its reply. Raises the error that ended it, or SchedulerLost."""
        resources = self.find_resources(link, task, emit, stop)
        watch = make_watch(task.stage.name, task.recipe, emit, stop)
        exchanged = self.exchange.send_inputs(task, watch) if self.exchange else None
        queue = self.queues[task.key] = SimpleQueue()
        try:
            future = link.client.submit(
                run_step,
                write_task(task, self.topic, exchanged),
                *(link.replies[digest] for digest in task.inputs.values() if digest in link.replies),
                key=name,
                resources=resources,
                retries=RETRIES,
            )
            future.add_done_callback(lambda done: queue.put(None))
            try:
                follow(queue, emit, stop)
                reply = read_reply(task, future)
            except KeyboardInterrupt:
                self.stop_steps(link, future)
                raise
        except LOST as error:
            raise self.describe_loss() from error
        finally:
            del self.queues[task.key]
        if "digest" in reply:
            link.replies[reply["digest"]] = future
        return reply

    def stop_steps(self, link: Link, future: Future[Reply]) -> None:
        """Stop the running steps of this build, unless the scheduler is gone."""
        with suppress(*LOST, OSError, RuntimeError):
            future.cancel()
            link.client.run(stop_steps, self.topic, on_error="ignore")

    def find_resources(self, link: Link, task: Task, emit: Emit, stop: Event) -> dict[str, float]:
        """Return the resources that a task asks for, once a worker offers them.

        A task that would need more memory than any of these workers has takes all of one. Raises UserError if there are
        workers, and none of them is fit; SchedulerLost.
        """
        labels, began = list_labels(task, self.label), time.monotonic()
        event = StepWaiting(task.stage.name, f"a worker of {self.address}", task.recipe)
        waiting = Waiting(lambda: emit(event), stop)
        while True:
            workers = self.list_workers(link)
            fit = [worker.resources[MEMORY] for worker in workers if worker.offers(labels)]
            if fit:
                return {**dict.fromkeys(labels, 1.0), MEMORY: min(float(task.memory), max(fit))}
            if workers and time.monotonic() - began > GRACE:
                raise UserError(explain_unfit(task, labels, workers, self.address))
            waiting()
            time.sleep(POLL)


def read_reply(task: Task, future: Future[Reply]) -> Reply:
    """Return the reply of a task that has ended. Raises the error that ended it, or one of LOST."""
    name = task.stage.name
    try:
        reply: Reply = future.result()
    except KilledWorker as error:
        died = f"died with it, {error.last_worker.address} the last of them"
        raise UserError(f"`{name}`: {error.allowed_failures + 1} workers {died}; give them more memory") from error
    if "fault" in reply:
        raise UserError(*reply["fault"])
    if "crash" in reply:
        log = task.store.log(name, task.key)
        if "log" in reply:  # the worker's is in a store of its own
            task.store.make_log(name, task.key).write_text(reply["log"], encoding="utf-8")
        raise StageCrash(name, log, reply["crash"])
    return reply


def name_task(task: Task, exchange: Exchange | None) -> str:
    """Return the name under which Dask knows a task; its dashboard shows what is before the digits.

    Behind them, it names the place where the artifact will be: the store, or the exchange.
    """
    place = exchange.address if exchange else str(task.store.root.absolute())
    return f"{task.stage.name}-{task.key}-{digest_value(place)[:16]}"


def follow(queue: Queue, emit: Emit, stop: Event) -> None:
    """Emit the events of a step until it has ended. Raises KeyboardInterrupt if `stop` is set."""
    while not stop.is_set():
        try:
            message = queue.get(timeout=POLL)
        except Empty:
            continue
        if message is None:
            return
        emit(parse_event(message))
    raise KeyboardInterrupt


def find_record(task: Task, reply: Reply) -> Record | None:
    """Return the record that a reply announces; a file system may show it, and its artifact, some time later."""
    began = time.monotonic()
    while True:
        record = task.store.records.find(task.stage.name, task.key)
        if record and record.digest == reply["digest"] and task.store.artifacts.folder(record.digest).is_dir():
            return record
        if time.monotonic() - began > SETTLING:
            return None
        time.sleep(POLL)


def connect(address: str) -> Client:
    """Connect to a scheduler. Raises OSError if none answers within CONNECT, ValueError if the address is none."""
    return Client(address, timeout=CONNECT, set_as_default=False, name="gpt2forge")


def list_workers(client: Client) -> list[WorkerOffer]:
    """List the workers that a cluster has now. Raises OSError or RuntimeError if the client has lost it."""
    if client.status != "running":
        raise CommClosedError(f"the client is {client.status}")
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return [WorkerOffer(address, str(each["name"]), each["resources"]) for address, each in workers.items()]
