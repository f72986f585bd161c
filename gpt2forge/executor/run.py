"""Runs a job step by step: what is made already is reused, the rest is made, checked in and recorded."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.errors import UserError
from gpt2forge.executor.machine import hold_machine
from gpt2forge.executor.process import run_worker
from gpt2forge.outcome import Outcome
from gpt2forge.plan.job import Job
from gpt2forge.plan.key import make_key, make_pre_image
from gpt2forge.plan.reason import explain, find_nearest
from gpt2forge.progress import Emit, Meter, StepFinished, StepStarted, StepWaiting
from gpt2forge.recipe import quote
from gpt2forge.stage import Stage
from gpt2forge.store.disk import remove_tree
from gpt2forge.store.record import Record
from gpt2forge.store.store import Store

Judge = Callable[[Outcome], None]


@dataclass(frozen=True)
class Step:
    """A stage in a run, with all that decides what it makes."""

    job: Job
    stage: Stage
    store: Store
    pre_image: Mapping[str, Any]
    key: str


def run_job(
    job: Job,
    store: Store,
    emit: Emit,
    outcomes: list[Outcome],
    rerun: str | None = None,
    until: str | None = None,
    judge: Judge = lambda outcome: None,
) -> None:
    """Bring every step about, in order, up to the stage `until`.

    Each outcome is appended to `outcomes` and emitted; the stage `rerun` is made again even if it is there. `judge`
    looks at each outcome and ends the run by an error. Raises what ended the run: if a step did, its outcome is
    "failed".
    """
    check_names(job, rerun, until)
    digests: dict[str, str | None] = {
        kind: source.digest(store.memo, Meter(kind, emit).advance) for kind, source in job.sources.items()
    }
    for stage in job.stages:
        pre_image = make_pre_image(job, stage, digests, store.memo)
        step = Step(job, stage, store, pre_image, make_key(pre_image))
        outcome = run_step(step, digests, emit, outcomes, again=stage.name == rerun)
        digests[stage.writes] = outcome.digest
        outcomes.append(outcome)
        emit(StepFinished(outcome))
        judge(outcome)
        if stage.name == until:
            return
    for stage in job.skipped:
        outcomes.append(Outcome(stage.name, "skipped", "asked for by `--skip`"))
        emit(StepFinished(outcomes[-1]))


def check_names(job: Job, rerun: str | None, until: str | None) -> None:
    """Raises UserError unless both name stages that this run reaches."""
    known = [stage.name for stage in job.stages]
    skipped = [stage.name for stage in job.skipped]
    for option, name in (("--rerun", rerun), ("--until", until)):
        if name in skipped:
            raise UserError(f"`{option} {name}`: `{name}` is skipped; leave out one of the two options")
        if name is not None and name not in known:
            raise UserError(f"`{name}`: there is no such stage; there are {quote(known)}")
    if rerun and until and known.index(rerun) > known.index(until):
        raise UserError(f"`--rerun {rerun}`: lies behind `--until {until}`, where the run ends")


def run_step(
    step: Step, digests: Mapping[str, str | None], emit: Emit, outcomes: list[Outcome], again: bool
) -> Outcome:
    """Reuse or make one step; a failure leaves its outcome, then raises."""
    record = None if again else step.store.find(step.stage.name, step.key)
    if record:
        return tell(record, "reused", "")
    nearest = None if again else find_nearest(step.pre_image, step.store.records(step.stage.name))
    reason = "asked for by `--rerun`" if again else explain(step.stage, nearest, step.store.memo)
    started = time.monotonic()
    try:
        with step.store.lock(
            step.key, lambda: emit(StepWaiting(step.stage.name, "another build that is making it"))
        ) as lock:
            # Another build may have made it while this one waited.
            record = None if again else step.store.find(step.stage.name, step.key)
            if record:
                return tell(record, "reused", "")
            with take_machine(step.stage, emit) as machine:
                emit(StepStarted(step.stage.name, reason))
                return tell(make_step(step, digests, (lock, *machine), emit), "built", reason)
    except BaseException:
        seconds = round(time.monotonic() - started, 3)
        failed = Outcome(step.stage.name, "failed", reason, step.key, seconds=seconds)
        outcomes.append(failed)
        emit(StepFinished(failed))
        raise


@contextmanager
def take_machine(stage: Stage, emit: Emit) -> Iterator[tuple[int, ...]]:
    """Wait until nothing else here runs that must be alone, if this must be; gives what holds the machine."""
    if not stage.alone:
        yield ()
        return
    with hold_machine(lambda: emit(StepWaiting(stage.name, "another measurement on this machine"))) as descriptor:
        yield (descriptor,)


def tell(record: Record, outcome: Any, reason: str) -> Outcome:
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


def make_step(step: Step, digests: Mapping[str, str | None], locks: tuple[int, ...], emit: Emit) -> Record:
    """Run the stage in its own process, take its folder into the store, write the record last."""
    started = time.monotonic()
    out = step.store.make_room(step.key)
    try:
        log = step.store.log(step.stage.name, step.key)
        ended = run_worker(
            step.stage.name, make_order(step, digests, out), log, locks, Meter(step.stage.name, emit).advance
        )
        check_sources(step, digests)
        digest = step.store.commit(out)
    finally:
        with suppress(OSError):
            remove_tree(out)
    seconds = time.monotonic() - started
    record = Record(
        step.key,
        step.stage.name,
        step.pre_image,
        digest,
        ended.metrics,
        round(seconds, 3),
        ended.peak_memory_bytes,
        time.time(),
    )
    step.store.write_record(record)
    return record


def make_order(step: Step, digests: Mapping[str, str | None], out: Path) -> dict[str, Any]:
    """What the worker is told, as JSON."""
    inputs = {
        kind: {
            "path": str(locate(step, kind, str(digests[kind]))),
            "digest": digests[kind],
            "made": kind not in step.job.sources,
        }
        for kind in step.stage.reads
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
    return source.path if source else step.store.folder(digest)


def check_sources(step: Step, digests: Mapping[str, str | None]) -> None:
    """A source that changed while a stage read it has given bytes that no digest names."""
    for kind in step.stage.reads:
        source = step.job.sources.get(kind)
        if source and source.digest(step.store.memo, lambda done, total, unit: None) != digests[kind]:
            raise UserError(f"{source.path}: changed while it was being read; build again when nothing writes to it")
