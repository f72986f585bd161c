"""One step of a run: how it is looked up, and how it is made, checked in and recorded."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Literal

from gpt2forge.errors import UserError
from gpt2forge.executor.events import Emit, Meter, StepStarted, StepWaiting
from gpt2forge.executor.machine_lock import hold_machine
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.worker_process import Ended, run_worker
from gpt2forge.plan.equivalents import Kept, find_kept, revise
from gpt2forge.plan.estimate import Estimate, estimate, measure_inputs
from gpt2forge.plan.job import Job
from gpt2forge.plan.key import make_key, make_pre_image
from gpt2forge.plan.reason import THROWN_AWAY, Nearest, explain, find_nearest
from gpt2forge.plan.tools import Versions
from gpt2forge.stages.provenance import add_story
from gpt2forge.stages.stage import Stage
from gpt2forge.store.atomic import remove_tree
from gpt2forge.store.records import Record
from gpt2forge.store.stat_cache import StatEntry
from gpt2forge.store.store import Store

Look = Mapping[Path, StatEntry]


@dataclass(frozen=True)
class Step:
    """A stage in a run, with all that decides what it makes; `inputs` are digests by kind.

    `looks` are what the sources among them were before their digests were made.
    `kept` is what an earlier version made, and stands for what this one would make.
    """

    job: Job
    stage: Stage
    store: Store
    inputs: Mapping[str, str]
    pre_image: Mapping[str, Any]
    key: str
    looks: Mapping[str, Look]
    kept: Kept | None = None

    @property
    def versions(self) -> Versions:
        """The tools that it needs; none where it keeps what an earlier version made."""
        return {} if self.kept else dict(self.pre_image["tools"])

    def find(self) -> Record | None:
        """What it made earlier, if that is there and whole."""
        return self.store.find(self.stage.name, self.key)

    def find_evicted(self) -> Record | None:
        """What it made earlier, if that was thrown away to make room."""
        return self.store.find_evicted(self.stage.name, self.key)


@dataclass(frozen=True)
class Errand:
    """A step that must be made: why, and what that will take. `again`: even if it is there."""

    step: Step
    reason: str
    estimate: Estimate
    again: bool = False


def make_step(
    job: Job, stage: Stage, store: Store, inputs: Mapping[str, str], looks: Mapping[str, Look], is_rerun: bool = False
) -> Step:
    """Look up what a stage would make. A step that is rerun keeps nothing that an earlier version made."""
    pre_image: Mapping[str, Any] = make_pre_image(job, stage, inputs, store.stat_cache)
    kept = None if is_rerun else find_kept(job, stage, pre_image, store)
    if kept:
        pre_image = revise(stage, pre_image, kept)
    return Step(job, stage, store, inputs, pre_image, make_key(pre_image), looks, kept)


def make_errand(step: Step, again: bool) -> Errand:
    """Raises what reading the store raises."""
    nearest = find_nearest(step.pre_image, step.store.records.list(step.stage.name))
    reason = explain_step(step, nearest, again)
    read = measure_inputs(step.job, step.store, step.inputs)
    return Errand(step, reason, estimate(step.job, step.stage, nearest, read), again)


def explain_step(step: Step, nearest: Nearest | None, again: bool) -> str:
    if again:
        return "asked for by `--rerun`"
    if step.find_evicted():
        return THROWN_AWAY
    return step.kept.reason if step.kept else explain(step.stage, nearest, step.store.stat_cache)


def check_inputs(step: Step) -> None:
    """Raises UserError where something to read is not there: it went after the plan was made."""
    for kind, digest in step.inputs.items():
        if kind not in step.job.sources and not step.store.artifacts.folder(digest).is_dir():
            raise UserError(
                f"{step.store.artifacts.folder(digest)}: is gone, and `{step.stage.name}` reads it; build again"
            )


def carry_out(errand: Errand, emit: Emit, stop: Event) -> Outcome:
    """Make a step, unless another build has made it meanwhile. Raises what ended it; KeyboardInterrupt on `stop`."""
    step = errand.step
    name = step.stage.name
    check_inputs(step)
    waits = Waiting(lambda: emit(StepWaiting(name, "another build that is making it", step.job.name)), stop)
    with step.store.lock(step.key, waits) as lock:
        record = None if errand.again else step.find()
        if record:
            return tell(record, "reused", "")
        with take_machine(step, emit, stop) as machine:
            emit(StepStarted(name, errand.reason, step.job.name))
            step.store.clear_damaged(name, step.key)
            return tell(make(step, (lock, *machine), emit, stop), "built", errand.reason)


@dataclass
class Waiting:
    """Called again and again while something is waited for: says so once, and ends it when the run is given up."""

    say: Callable[[], None]
    stop: Event
    has_said: bool = False

    def __call__(self) -> None:
        if self.stop.is_set():
            raise KeyboardInterrupt
        if not self.has_said:
            self.has_said = True
            self.say()


@contextmanager
def take_machine(step: Step, emit: Emit, stop: Event) -> Iterator[tuple[int, ...]]:
    """Wait until nothing else here runs that must be alone, if this must be; gives what holds the machine."""
    if not step.stage.alone:
        yield ()
        return
    said = StepWaiting(step.stage.name, "another measurement on this machine", step.job.name)
    with hold_machine(Waiting(lambda: emit(said), stop)) as descriptor:
        yield (descriptor,)


def tell(record: Record, outcome: Literal["built", "reused"], reason: str) -> Outcome:
    return Outcome(
        record.stage,
        outcome,
        reason,
        record.key,
        record.digest,
        record.seconds,
        record.peak_memory_bytes,
        record.metrics,
    )


def make(step: Step, locks: tuple[int, ...], emit: Emit, stop: Event) -> Record:
    """Run the stage in its own process, take its folder into the store, write the record last."""
    started = time.monotonic()
    out = step.store.make_workspace(step.key)
    try:
        ended = copy_kept(step, step.kept, out) if step.kept else run(step, locks, out, emit, stop)
        check_sources(step)
        digest = step.store.artifacts.commit(out, ended.written)
    finally:
        with suppress(OSError):
            remove_tree(out)
    record = Record(
        key=step.key,
        stage=step.stage.name,
        pre_image=step.pre_image,
        digest=digest,
        metrics=ended.metrics,
        seconds=round(time.monotonic() - started, 3),
        peak_memory_bytes=ended.peak_memory_bytes,
        created=time.time(),
        bytes_read=measure_inputs(step.job, step.store, step.inputs),
        bytes_written=step.store.artifacts.measure(digest),
    )
    step.store.records.write(record)
    return record


def run(step: Step, locks: tuple[int, ...], out: Path, emit: Emit, stop: Event) -> Ended:
    log = step.store.log(step.stage.name, step.key)
    advance = Meter(step.stage.name, emit, step.job.name).advance
    return run_worker(step.stage.name, make_order(step, out), log, locks, advance, stop)


def copy_kept(step: Step, kept: Kept, out: Path) -> Ended:
    """What an earlier version made, and in it that it was kept."""
    shutil.copytree(step.store.artifacts.folder(kept.record.digest), out, dirs_exist_ok=True)
    for path in (out, *out.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    add_story(out, {"assumed": step.pre_image["assumed"]})
    return Ended(dict(kept.record.metrics), kept.record.seconds, kept.record.peak_memory_bytes)


def make_order(step: Step, out: Path) -> dict[str, Any]:
    """What the worker is told, as JSON."""
    inputs = {
        kind: {"path": str(locate(step, kind, digest)), "digest": digest, "made": kind not in step.job.sources}
        for kind, digest in step.inputs.items()
    }
    section = step.job.section_values(step.stage)
    target = step.job.target.model_dump(mode="json")
    return {
        "name": step.stage.name,
        "module": step.stage.module,
        "section": section,
        "target": target,
        "inputs": inputs,
        "out": str(out),
    }


def locate(step: Step, kind: str, digest: str) -> Path:
    source = step.job.sources.get(kind)
    return source.path if source else step.store.artifacts.folder(digest)


def check_sources(step: Step) -> None:
    """A source that changed while a stage read it, though it be back now, has given bytes that no digest names."""
    for kind in step.inputs:
        source = step.job.sources.get(kind)
        if source and source.look() != step.looks[kind]:
            raise UserError(f"{source.path}: changed while it was being read; build again when nothing writes to it")
