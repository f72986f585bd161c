"""Plans builds, after pulling the artifacts that their steps need and a remote level has.

1. The published package is needed, the last step if there is an `until`, and every input of a step that runs. What is
   behind an artifact that is here, or that was pulled, is not needed: an output that another machine has built takes
   its package, not the gigabytes behind it.
2. After a pull the plan is made again. An artifact that no level has is made here, and then its inputs are needed.
3. A store without remote levels is planned once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gpt2forge.executor.events import Emit, Meter, StepStarted, StepWaiting
from gpt2forge.plan.job import Job
from gpt2forge.plan.machine import Machine
from gpt2forge.plan.plan import Plan, PlannedStep, make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.stages.stage import DRAFT
from gpt2forge.store.store import Store


@dataclass(frozen=True)
class Range:
    """The steps of a run that count: up to `until`, and again that of `rerun`."""

    until: str | None = None
    rerun: str | None = None


def make_plans(
    jobs: Sequence[Job], store: Store, *, emit: Emit, within: Range, machine: Machine | None = None
) -> list[Plan]:
    """Plan jobs together, after pulling what they need; `machine` is the one that runs their steps if not this one."""
    while True:
        readings = Readings(store, machine)
        plans = [
            make_plan(job, readings, Meter("checkpoint", emit, job.name).advance, rerun=within.rerun) for job in jobs
        ]
        wanted = {str(step.key): (job, step) for plan in plans for job, step in list_wanted(plan, store, within)}
        if not wanted:
            return plans
        for job, step in wanted.values():
            pull_step(job, step, store, emit)


def list_wanted(plan: Plan, store: Store, within: Range) -> Iterator[tuple[Job, PlannedStep]]:
    """Yield the steps whose artifacts are needed (rule 1), and may be pulled, each with its job."""
    stages = plan.job.list_until(within.until)
    packer = plan.job.packer
    needed = {stage.name for stage in stages if stage is packer or stage.name == within.until}
    for step in reversed([step for step in plan.steps if step.stage in stages]):
        name, key = step.stage.name, step.key
        is_rerun = name == within.rerun
        if step.block or (step.verdict == "done" and not is_rerun):
            continue
        if key and not is_rerun and store.can_restore(name, key):
            if name in needed or not store.find_evicted(name, key):
                yield plan.job, step
            continue
        if DRAFT in step.stage.reads and plan.draft:
            yield from list_wanted(plan.draft, store, Range())
        needed |= {maker.name for kind in step.stage.reads if (maker := plan.job.find_maker(step.stage, kind))}


def pull_step(job: Job, step: PlannedStep, store: Store, emit: Emit) -> None:
    """Bring the artifact of a step from the first level that has it, unless another build brings or makes it."""
    name, key = step.stage.name, str(step.key)
    waiting = StepWaiting(name, "another build that is making it", job.name)
    with store.lock(key, lambda: emit(waiting)):
        if store.find(name, key) is None:
            emit(StepStarted(name, "a remote may have it", job.name))
            store.restore(name, key, Meter(name, emit, job.name).advance)
