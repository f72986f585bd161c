"""The plan of a build: each step is done, will run, may run (if an input changes), or cannot run.

A plan is made once. A run carries its steps through: when the inputs of a step are made, `Plan.resolve` completes it.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from gpt2forge.plan.blocked import Block, find_block
from gpt2forge.plan.equivalents import Equivalent, assume, find_equivalent
from gpt2forge.plan.estimate import Estimate, estimate
from gpt2forge.plan.job import Job
from gpt2forge.plan.key import Basis, add_inputs, make_basis, make_key
from gpt2forge.plan.nearest import Nearest
from gpt2forge.plan.readings import Readings
from gpt2forge.plan.reason import EVICTED, explain, explain_new
from gpt2forge.stages.stage import DRAFT, Advance, Stage
from gpt2forge.store.stat_cache import StatEntry
from gpt2forge.store.store import Store

Verdict = Literal["done", "will run", "may run", "cannot run"]


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """A stage in a plan, with a verdict and its reason.

    `key` is None while an input is not made yet, and if the step cannot run. `digest` is that of a done step's
    artifact. `nearest` is the earlier run that the reason compares with, `estimate` the time, space and memory of
    running the step; both are None if it is done. `equivalent` is the artifact of other tool versions that the user
    lets it use. `is_evicted`: it is done, its artifact was removed to make room, and no step reads it.
    `identity` is the key, or a digest of everything that the key will depend on: steps of equal identity are one.
    """

    stage: Stage
    verdict: Verdict
    reason: str
    pre_image: Mapping[str, Any]
    identity: str
    key: str | None = None
    digest: str | None = None
    nearest: Nearest | None = None
    estimate: Estimate | None = None
    equivalent: Equivalent | None = None
    is_evicted: bool = False
    block: Block | None = None

    @property
    def inputs(self) -> Mapping[str, str | None]:
        """The digests of the inputs by kind; None for an input that is not made yet."""
        inputs: Mapping[str, str | None] = self.pre_image["inputs"]
        return inputs

    def to_json(self) -> dict[str, Any]:
        return {
            "stage": self.stage.name,
            "verdict": self.verdict,
            "reason": self.reason,
            "key": self.key,
            "digest": self.digest,
            "seconds": self.estimate and self.estimate.seconds,
            "bytes": self.estimate and self.estimate.written,
            "peak_memory_bytes": self.estimate and self.estimate.memory,
        }


@dataclass(frozen=True)
class Input:
    """An input of a step: its digest (None until it is made), and its identity as in PlannedStep.

    `size` is in bytes; None for an artifact, which is measured only if a step that runs reads it.
    """

    digest: str | None
    identity: str
    size: int | None

    def measure(self, readings: Readings) -> int:
        """Return the size in bytes."""
        return readings.measure(str(self.digest)) if self.size is None else self.size


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The steps of a job in order, the digests of its sources by kind, and the basis of each pre-image by stage.

    `stats` holds the stats of each source's files while they had the digested bytes. `draft` is the plan of the job's
    draft, if it has one.
    """

    job: Job
    steps: tuple[PlannedStep, ...]
    sources: Mapping[str, str]
    stats: Mapping[str, Mapping[Path, StatEntry]]
    bases: Mapping[str, Basis]
    draft: "Plan | None" = None

    def flatten(self) -> tuple["Plan", ...]:
        """Return the plan of the draft, if there is one, and this plan."""
        return (*(self.draft.flatten() if self.draft else ()), self)

    def find(self, stage: Stage) -> PlannedStep:
        """Return the step of a stage."""
        return next(step for step in self.steps if step.stage == stage)

    def resolve(
        self, stage: Stage, *, made: Mapping[str, str], blocked: Iterable[str], store: Store, is_rerun: bool = False
    ) -> PlannedStep:
        """Complete the step of a stage now that its inputs are made, or never will be.

        `made` are the digests by kind, `blocked` the names of the stages that cannot run. A step that is run again
        uses no equivalent artifact.
        """
        planned = self.find(stage)
        if planned.inputs == made and not (is_rerun and planned.equivalent) and is_still_true(planned, store):
            return planned
        sizes = {kind: self.job.sources[kind].size for kind in made if kind in self.job.sources}
        inputs = {kind: Input(digest, digest, sizes.get(kind)) for kind, digest in made.items()}
        missing = {kind: Input(None, planned.identity, 0) for kind in stage.reads if kind not in made}
        step = plan_step(
            self.job,
            stage,
            basis=self.bases[stage.name],
            inputs={**inputs, **missing},
            readings=Readings(store),
            blocked=blocked,
            can_assume=not is_rerun,
        )
        # The plan did not know this key, nor whether a later step reads the artifact.
        return replace(step, verdict="will run", reason=EVICTED, is_evicted=False) if step.is_evicted else step


def is_still_true(step: PlannedStep, store: Store) -> bool:
    """Return whether a done step still is: another process may have removed its artifact."""
    return step.verdict != "done" or step.is_evicted or store.find(step.stage.name, str(step.key)) is not None


def make_plan(
    job: Job, readings: Readings, advance: Advance, *, rerun: str | None = None, is_draft: bool = False
) -> Plan:
    """Look up every step. `advance` is called with the bytes of the sources that must be hashed.

    `readings` are shared by plans that are made together, and equal steps of these are looked up once. `rerun` names
    a stage that will run again. The package of an `is_draft` is needed only if a step reads it.
    """
    draft = make_plan(job.draft, readings, advance, is_draft=True) if job.draft else None
    sources = {kind: readings.read_source(source, advance) for kind, source in job.sources.items()}
    inputs = {kind: Input(source.digest, source.digest, source.size) for kind, source in sources.items()}
    if draft:
        inputs[DRAFT] = describe_package(draft)
    bases: dict[str, Basis] = {}
    steps: list[PlannedStep] = []
    sections = {name: section and section.model_dump_json() for name, section in job.sections.items()}
    target, surroundings = job.target.model_dump_json(), describe_surroundings(job)
    for stage in job.stages:
        subject = (stage, target, sections[stage.section] if stage.section else None)
        basis = bases[stage.name] = readings.recall(subject, partial(make_basis, job, stage, readings))
        read = {kind: inputs[kind] for kind in stage.reads}
        blocked = tuple(step.stage.name for step in steps if step.block)
        plan = partial(plan_step, job, stage, basis=basis, inputs=read, readings=readings, blocked=blocked)
        step = readings.recall((subject, tuple(read.items()), blocked, surroundings), plan)
        inputs[stage.writes] = describe_made(step)
        steps.append(step)
    needed = {job.packer.name} if job.packer and not is_draft else set()
    restored, runs_draft = restore_needed(job, steps, needed, rerun)
    return Plan(
        job=job,
        steps=restored,
        sources={kind: source.digest for kind, source in sources.items()},
        stats={kind: source.stats for kind, source in sources.items()},
        bases=bases,
        draft=draft and (restore_package(draft) if runs_draft else draft),
    )


def describe_made(step: PlannedStep) -> Input:
    """Return the artifact of a step as an input of a later one."""
    size = step.estimate.written if step.estimate else None
    return Input(step.digest, step.digest or step.identity, size)


def describe_package(plan: Plan) -> Input:
    """Return the package of a plan as an input of a step of another plan."""
    assert plan.job.packer is not None, f"{plan.job.name} makes no package"
    return describe_made(plan.find(plan.job.packer))


def restore_package(plan: Plan) -> Plan:
    """Let the evicted package of a draft be made again, because a step reads it."""
    assert plan.job.packer is not None, f"{plan.job.name} makes no package"
    steps, _ = restore_needed(plan.job, plan.steps, {plan.job.packer.name}, None)
    return replace(plan, steps=steps)


def describe_surroundings(job: Job) -> Hashable:
    """Return what `plan_step` reads of a job besides the step's subject: the stages beside it, and what is assumed."""
    return job.is_new, job.assumed, tuple((stage.name, stage.writes) for stage in job.stages)


def is_there(store: Store, digest: str) -> bool:
    """Return whether an artifact is whole or was removed to make room: in both cases its content is known."""
    return store.artifacts.is_whole(digest) or store.artifacts.is_evicted(digest)


def restore_needed(
    job: Job, steps: Sequence[PlannedStep], wanted: Collection[str], rerun: str | None
) -> tuple[tuple[PlannedStep, ...], bool]:
    """Let an evicted step run if it is one of the `wanted` stages, or if a step that runs reads its artifact.

    Return the steps, and whether one that runs reads the draft.
    """
    needed, runs_draft = set(wanted), False
    restored: list[PlannedStep] = []
    for step in reversed(steps):
        if step.is_evicted and step.stage.name in needed:
            step = replace(step, verdict="will run", reason=EVICTED, is_evicted=False)
        if step.block is None and (step.verdict != "done" or step.stage.name == rerun):
            makers = (job.find_maker(step.stage, kind) for kind in step.stage.reads)
            needed |= {maker.name for maker in makers if maker}
            runs_draft = runs_draft or DRAFT in step.stage.reads
        restored.insert(0, step)
    return tuple(restored), runs_draft


def unite(plans: Sequence[Sequence[PlannedStep]]) -> list[tuple[PlannedStep, ...]]:
    """Join plans that run together: an evicted step that one of them runs is run for all of them."""
    made = {step.identity: step for plan in plans for step in plan if step.verdict == "will run"}
    return [tuple(made.get(step.identity, step) if step.is_evicted else step for step in plan) for plan in plans]


def plan_step(
    job: Job,
    stage: Stage,
    *,
    basis: Basis,
    inputs: Mapping[str, Input],
    readings: Readings,
    blocked: Iterable[str],
    can_assume: bool = True,
) -> PlannedStep:
    """Look up one step. `inputs` are its inputs by kind; `can_assume`: it may use an equivalent artifact."""
    pre_image: Mapping[str, Any] = add_inputs(basis, {kind: each.digest for kind, each in inputs.items()})
    missing = [kind for kind, each in inputs.items() if each.digest is None]
    identity = make_key(add_inputs(basis, {kind: each.identity for kind, each in inputs.items()}))
    equivalent = (
        find_equivalent(job, stage, pre_image=pre_image, store=readings.store) if can_assume and not missing else None
    )
    if equivalent:
        pre_image = assume(stage, pre_image, equivalent)
        identity = make_key(pre_image)
    block = find_block(job, stage, versions={} if equivalent else pre_image["tools"], blocked=blocked)
    key = None if missing or block else identity
    step = PlannedStep(
        stage=stage,
        verdict="done",
        reason="",
        pre_image=pre_image,
        identity=identity,
        key=key,
        equivalent=equivalent,
        block=block,
    )
    record = readings.find(stage.name, key) if key else None
    if record:
        return replace(step, reason=equivalent.reason if equivalent else "", digest=record.digest)
    read = sum(each.measure(readings) for each in inputs.values())
    estimated = add_estimate(job, step, read=read, readings=readings)
    return explain_unmade(estimated, missing=missing, readings=readings, is_new=job.is_new)


def add_estimate(job: Job, step: PlannedStep, *, read: int, readings: Readings) -> PlannedStep:
    """Add the most similar earlier run to a step that reads `read` bytes, and the estimate made from it."""
    nearest = readings.find_earlier(step.stage.name, step.pre_image)
    return replace(step, nearest=nearest, estimate=estimate(job, step.stage, nearest=nearest, read=read))


def explain_unmade(step: PlannedStep, *, missing: Sequence[str], readings: Readings, is_new: bool) -> PlannedStep:
    """Add verdict and reason to a step that has no artifact; `missing` are the kinds of its inputs not made yet.

    A step of a recipe that `is_new` has nothing of its own to be compared with.
    """
    nearest = step.nearest
    evicted = readings.find_evicted(step.stage.name, step.key) if step.key else None
    if evicted:
        return replace(step, reason=f"{EVICTED}, and nothing needs it", digest=evicted.digest, is_evicted=True)
    if step.block:
        return replace(step, verdict="cannot run", reason=step.block.reason)
    # Nothing else differs from the earlier run, so the step is reused if the missing inputs are made unchanged.
    if missing and nearest and not nearest.differences and is_there(readings.store, nearest.record.digest):
        reason = f"if {' or '.join(f'`{kind}`' for kind in missing)} changes"
        return replace(step, verdict="may run", reason=reason)
    if step.equivalent:
        reason = step.equivalent.reason
    elif is_new and nearest and nearest.differences:
        reason = explain_new(readings.find_owner(step.stage.name, nearest.record.digest))
    else:
        reason = explain(step.stage, nearest, readings.store.stat_cache)
    return replace(step, verdict="will run", reason=reason)
