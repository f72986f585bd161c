"""Runs one step: the stage in a worker process, then its artifact into the store, then the record."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from threading import Event
from typing import Any, Literal

from gpt2forge.errors import UserError
from gpt2forge.executor.events import Emit, Gauge, Meter, StepStarted, StepWaiting
from gpt2forge.executor.machine_lock import hold_machine_lock
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.task import Task
from gpt2forge.executor.worker_process import WorkerResult, describe_change, run_worker
from gpt2forge.plan.code import find_reach, name_module
from gpt2forge.plan.equivalents import Equivalent
from gpt2forge.plan.key import find_modules, list_changes
from gpt2forge.plan.readings import Readings
from gpt2forge.plan.source import Source
from gpt2forge.stages.forge_json import add_provenance
from gpt2forge.stages.stage import Advance
from gpt2forge.store.atomic import copy_tree, remove_tree
from gpt2forge.store.records import Record
from gpt2forge.store.stat_cache import CHANGED


def run_task(task: Task, emit: Emit, stop: Event) -> Outcome:
    """Run a step, unless another build has run it in the meantime.

    Raises the error that ended it; KeyboardInterrupt if `stop` is set.
    """
    check_inputs(task)
    name = task.stage.name
    with lock_task(task, emit, stop) as lock:
        if made := take_made(task, emit, stop):
            return made
        with take_machine(task, emit, stop) as machine:
            emit(StepStarted(name, task.reason, task.recipe, task.expected_seconds))
            task.store.clear_damaged(name, task.key)
            return make_outcome(make_artifact(task, (lock, *machine), emit=emit, stop=stop), "built", task.reason)


@contextmanager
def lock_task(task: Task, emit: Emit, stop: Event) -> Iterator[int]:
    """Hold the key of a task and yield the descriptor of its lock. Raises KeyboardInterrupt if `stop` is set."""
    event = StepWaiting(task.stage.name, "another build that is making it", task.recipe)
    with task.store.lock(task.key, Waiting(lambda: emit(event), stop)) as lock:
        yield lock


def take_made(task: Task, emit: Emit, stop: Event) -> Outcome | None:
    """Return the outcome of a task whose artifact is in the store or on a remote level, else None."""
    if record := None if task.is_rerun else task.store.find(task.stage.name, task.key):
        return make_outcome(record, "reused", "")
    if record := pull(task, emit, stop):
        return make_outcome(record, "reused", task.store.describe_origin(task.key))
    return None


def pull(task: Task, emit: Emit, stop: Event) -> Record | None:
    """Bring the artifact of a step from a remote level, and return its record; None if none has it."""
    name = task.stage.name
    if task.is_rerun or not task.store.can_restore(name, task.key):
        return None
    emit(StepStarted(name, "a remote may have it", task.recipe))
    return task.store.restore(name, task.key, make_advance(name, task.recipe, emit, stop))


def make_advance(stage: str, recipe: str, emit: Emit, stop: Event) -> Advance:
    """Return a function that reports the progress of a step, and raises KeyboardInterrupt if `stop` is set."""
    meter = Meter(stage, emit, recipe)

    def advance(done: int, total: int, unit: str) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        meter.advance(done, total, unit)

    return advance


def check_inputs(task: Task) -> None:
    """Raise UserError if an artifact that the step reads was removed after the plan was made."""
    for kind, digest in task.inputs.items():
        folder = task.store.artifacts.folder(digest)
        if kind not in task.sources and not folder.is_dir():
            raise UserError(f"{folder}: is gone, and `{task.stage.name}` reads it; build again")


@dataclass
class Waiting:
    """Called repeatedly while a step waits: reports it once, and raises KeyboardInterrupt if the run is stopped."""

    report: Callable[[], None]
    stop: Event
    has_reported: bool = False

    def __call__(self) -> None:
        if self.stop.is_set():
            raise KeyboardInterrupt
        if not self.has_reported:
            self.has_reported = True
            self.report()


@contextmanager
def take_machine(task: Task, emit: Emit, stop: Event) -> Iterator[tuple[int, ...]]:
    """Hold the machine lock if the stage must run alone; yield the descriptor of the lock, if any."""
    if not task.stage.alone:
        yield ()
        return
    event = StepWaiting(task.stage.name, "another measurement on this machine", task.recipe)
    with hold_machine_lock(Waiting(lambda: emit(event), stop)) as descriptor:
        yield (descriptor,)


def make_outcome(record: Record, outcome: Literal["built", "reused"], reason: str) -> Outcome:
    """Return the outcome of a step that has a record."""
    return Outcome(
        stage=record.stage,
        outcome=outcome,
        reason=reason,
        key=record.key,
        digest=record.digest,
        seconds=record.seconds,
        peak_memory_bytes=record.peak_memory_bytes,
        metrics=record.metrics,
    )


def make_artifact(task: Task, locks: tuple[int, ...], *, emit: Emit, stop: Event) -> Record:
    """Run the stage in its own process, move its folder into the store, and write the record last."""
    store, started = task.store, time.monotonic()
    names = task.key, f"{task.key}.sources"
    try:  # an interrupt between the two folders leaves neither
        out, view = map(store.make_workspace, names)
        if task.equivalent:
            result = copy_equivalent(task, task.equivalent, out)
        else:
            result = run_stage(task, locks, out=out, view=view, emit=emit, stop=stop)
        check_sources(task)
        check_code(task)
        digest = store.artifacts.commit(out, result.written)
    finally:
        for folder in map(store.name_workspace, names):
            with suppress(OSError):
                remove_tree(folder)
    record = Record(
        key=task.key,
        stage=task.stage.name,
        pre_image=task.pre_image,
        digest=digest,
        metrics=result.metrics,
        seconds=round(time.monotonic() - started, 3),
        peak_memory_bytes=result.peak_memory_bytes,
        created=time.time(),
        bytes_read=measure_inputs(task),
        bytes_written=store.artifacts.measure(digest),
    )
    store.records.write(record)
    return record


def measure_inputs(task: Task) -> int:
    """Return the bytes of all inputs of a step."""
    sources, measure = task.sources, task.store.artifacts.measure
    return sum(sources[kind].size if kind in sources else measure(digest) for kind, digest in task.inputs.items())


def run_stage(task: Task, locks: tuple[int, ...], *, out: Path, view: Path, emit: Emit, stop: Event) -> WorkerResult:
    """Run the stage of a task in a worker that writes to `out` and reads its sources from `view`."""
    return run_worker(
        task.stage.name,
        request=make_request(task, out, view),
        code=find_sources(task),
        log=task.store.make_log(task.stage.name, task.key),
        locks=locks,
        advance=Meter(task.stage.name, emit, task.recipe).advance,
        observe=Gauge(task.stage.name, emit, task.recipe).observe,
        stop=stop,
    )


def copy_equivalent(task: Task, equivalent: Equivalent, out: Path) -> WorkerResult:
    """Copy the artifact of other tool versions, and record the assumption in forge.json."""
    for entry in task.store.artifacts.folder(equivalent.record.digest).iterdir():
        copy_tree(entry, out / entry.name)
    for path in (out, *out.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    add_provenance(out, {"assumed": task.pre_image["assumed"]})
    return WorkerResult(dict(equivalent.record.metrics), equivalent.record.seconds, equivalent.record.peak_memory_bytes)


def make_request(task: Task, out: Path, view: Path) -> dict[str, Any]:
    """Return the request that the worker reads, as JSON."""
    return {
        "name": task.stage.name,
        "module": task.stage.module,
        "section": task.section,
        "target": task.target,
        "inputs": {kind: describe_input(task, kind, digest) for kind, digest in task.inputs.items()},
        "out": str(out),
        "view": str(view),
    }


def describe_input(task: Task, kind: str, digest: str) -> dict[str, Any]:
    """Describe an input for the worker: a source with the identities of its files, or an artifact."""
    source = task.sources.get(kind)
    if source is None:
        return {"path": str(task.store.artifacts.folder(digest)), "digest": digest, "made": True}
    files = {name_in(source, path): list(astuple(stat)) for path, stat in task.stats[kind].items()}
    return {"path": str(source.path), "digest": digest, "made": False, "files": files}


def name_in(source: Source, path: Path) -> str:
    """Return the name of a file in its source; empty if the source is this file."""
    return "" if source.find is None else str(path.relative_to(source.path))


def check_sources(task: Task) -> None:
    """Raise UserError if a source changed after its digest was made, even if it has changed back."""
    for kind, source in task.sources.items():
        if source.read_stats() != task.stats[kind]:
            raise UserError(f"{source.path}: {CHANGED}")


def check_code(task: Task) -> None:
    """Raise UserError if gpt2forge's code or a tool changed after the plan was made, because the key is outdated."""
    if task.equivalent is None and list_changes(task.stage, task.pre_image, Readings(task.store)):
        raise UserError(describe_change(task.stage.name))


def find_sources(task: Task) -> dict[str, str]:
    """Return the sha256 of the source of each module that the key of a task covers, by name.

    Raises UserError if the code has changed since the key was made.
    """
    modules = find_reach(find_modules(task.stage), task.store.stat_cache)
    if {name: module.tokens for name, module in modules.items()} != task.pre_image["code"]:
        raise UserError(describe_change(task.stage.name))
    own = {task.stage.module: modules[name_module(find_modules(task.stage)[0])].source}
    return {**{name: module.source for name, module in modules.items()}, **own}
