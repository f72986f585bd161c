"""The plan of a build: each step done, to run, to run if the one before it comes out different, or unable to run.

A plan is made once. A run carries its steps through: when the inputs of a step come out, `Plan.resolve` completes it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from gpt2forge.plan.blocked import Block, find_block
from gpt2forge.plan.equivalents import Kept, find_kept, revise
from gpt2forge.plan.estimate import Estimate, estimate
from gpt2forge.plan.job import Job
from gpt2forge.plan.key import Basis, add_inputs, make_basis, make_key
from gpt2forge.plan.reason import THROWN_AWAY, Nearest, explain, find_nearest
from gpt2forge.stages.stage import PACKAGE, Advance, Stage
from gpt2forge.store.stat_cache import StatEntry
from gpt2forge.store.store import Store

Verdict = Literal["done", "will run", "may run", "cannot run"]


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """A stage in a plan, with a verdict and its reason.

    `key` is None while an input is not made yet, and where the step cannot run; `digest` is that of the artifact of a
    step that is done. `nearest` is the earlier step that the reason compares with, `estimate` what running it takes;
    both are None where it is done. `kept`: the artifact of other versions of tools that the user lets stand for it.
    `is_evicted`: it is done, its artifact was removed to make room, and no step reads it.
    Steps of equal `identity` are one: it is the key, or what the key will depend on.
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
    kept: Kept | None = None
    is_evicted: bool = False
    block: Block | None = None

    @property
    def inputs(self) -> Mapping[str, str | None]:
        """Digests by kind; None for what is not made yet."""
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
    """What a step reads: its digest, None while it is not made; what tells it from all others; its bytes."""

    digest: str | None
    identity: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The steps of a job in order, the digests of its sources by kind, and the bases of all pre-images by stage.

    `stats` are the stats of each source's files from before the digest was made.
    """

    job: Job
    steps: tuple[PlannedStep, ...]
    sources: Mapping[str, str]
    stats: Mapping[str, Mapping[Path, StatEntry]]
    bases: Mapping[str, Basis]

    def find(self, stage: Stage) -> PlannedStep:
        return next(step for step in self.steps if step.stage == stage)

    def resolve(
        self, stage: Stage, made: Mapping[str, str], blocked: Iterable[str], store: Store, is_rerun: bool = False
    ) -> PlannedStep:
        """Complete the step of a stage now that its inputs are made, or never will be.

        `made` are the digests by kind, `blocked` the names of the stages that cannot run. A step that is run again
        keeps nothing that an earlier version made.
        """
        planned = self.find(stage)
        if planned.inputs == made and not (is_rerun and planned.kept) and is_still_true(planned, store):
            return planned
        sizes = {kind: measure_input(self.job, store, kind, digest) for kind, digest in made.items()}
        inputs = {kind: Input(digest, digest, sizes[kind]) for kind, digest in made.items()}
        missing = {kind: Input(None, planned.identity, 0) for kind in stage.reads if kind not in made}
        step = plan_step(
            self.job,
            stage,
            basis=self.bases[stage.name],
            inputs={**inputs, **missing},
            store=store,
            blocked=blocked,
            can_keep=not is_rerun,
        )
        # The plan did not know this step's key, so it could not tell whether a later step reads the artifact.
        return replace(step, verdict="will run", reason=THROWN_AWAY, is_evicted=False) if step.is_evicted else step


def is_still_true(step: PlannedStep, store: Store) -> bool:
    """Return whether a step that is done still is: another process may have removed its artifact meanwhile."""
    return step.verdict != "done" or step.is_evicted or store.find(step.stage.name, str(step.key)) is not None


def make_plan(job: Job, store: Store, advance: Advance, rerun: str | None = None) -> Plan:
    """Look up every step. `advance` is told of the bytes of sources that must be hashed.

    `rerun` names a stage that will be run again.
    """
    stats = {kind: source.look() for kind, source in job.sources.items()}
    sources = {kind: source.digest(store.stat_cache, advance) for kind, source in job.sources.items()}
    inputs = {kind: Input(digest, digest, job.sources[kind].size) for kind, digest in sources.items()}
    bases = {stage.name: make_basis(job, stage, store.stat_cache) for stage in job.stages}
    steps: list[PlannedStep] = []
    for stage in job.stages:
        step = plan_step(
            job,
            stage,
            basis=bases[stage.name],
            inputs={kind: inputs[kind] for kind in stage.reads},
            store=store,
            blocked=[step.stage.name for step in steps if step.block],
        )
        size = step.estimate.written if step.estimate else store.artifacts.measure(str(step.digest))
        inputs[stage.writes] = Input(step.digest, step.digest or step.identity, size)
        steps.append(step)
    return Plan(job=job, steps=restore_needed(job, steps, rerun), sources=sources, stats=stats, bases=bases)


def measure_input(job: Job, store: Store, kind: str, digest: str) -> int:
    """Return the bytes of a source, or of an artifact."""
    return job.sources[kind].size if kind in job.sources else store.artifacts.measure(digest)


def is_there(store: Store, digest: str) -> bool:
    """Return whether an artifact is whole, or was removed to make room, so that its content is known."""
    return store.artifacts.is_whole(digest) or store.artifacts.is_evicted(digest)


def restore_needed(job: Job, steps: Sequence[PlannedStep], rerun: str | None) -> tuple[PlannedStep, ...]:
    """Let an evicted step run where a step that runs reads its artifact, or where it is the package."""
    needed = {stage.name for stage in job.stages if stage.writes == PACKAGE}
    settled: list[PlannedStep] = []
    for step in reversed(steps):
        if step.is_evicted and step.stage.name in needed:
            step = replace(step, verdict="will run", reason=THROWN_AWAY, is_evicted=False)
        if step.block is None and (step.verdict != "done" or step.stage.name == rerun):
            makers = (job.find_maker(step.stage, kind) for kind in step.stage.reads)
            needed |= {maker.name for maker in makers if maker}
        settled.insert(0, step)
    return tuple(settled)


def unite(plans: Sequence[Sequence[PlannedStep]]) -> list[tuple[PlannedStep, ...]]:
    """Join plans that run as one: an evicted step that one of them runs again is run for all."""
    made = {step.identity: step for plan in plans for step in plan if step.verdict == "will run"}
    return [tuple(made.get(step.identity, step) if step.is_evicted else step for step in plan) for plan in plans]


def plan_step(
    job: Job,
    stage: Stage,
    *,
    basis: Basis,
    inputs: Mapping[str, Input],
    store: Store,
    blocked: Iterable[str],
    can_keep: bool = True,
) -> PlannedStep:
    """Look up one step. `inputs` are those that it reads, by kind; `can_keep`: `--assume-equivalent` counts."""
    pre_image: Mapping[str, Any] = add_inputs(basis, {kind: each.digest for kind, each in inputs.items()})
    missing = [kind for kind, each in inputs.items() if each.digest is None]
    identity = make_key(add_inputs(basis, {kind: each.identity for kind, each in inputs.items()}))
    kept = find_kept(job, stage, pre_image, store) if can_keep and not missing else None
    if kept:
        pre_image = revise(stage, pre_image, kept)
        identity = make_key(pre_image)
    block = find_block(job, stage, {} if kept else pre_image["tools"], blocked)
    key = None if missing or block else identity
    step = PlannedStep(
        stage=stage, verdict="done", reason="", pre_image=pre_image, identity=identity, key=key, kept=kept, block=block
    )
    record = store.find(stage.name, key) if key else None
    if record:
        return replace(step, reason=kept.reason if kept else "", digest=record.digest)
    read = sum(each.size for each in inputs.values())
    return explain_unmade(job, add_estimate(job, step, read, store), missing, store)


def add_estimate(job: Job, step: PlannedStep, read: int, store: Store) -> PlannedStep:
    """Estimate what a step takes that reads this many bytes, from the nearest step that was made before."""
    nearest = find_nearest(step.pre_image, store.records.list(step.stage.name))
    return replace(step, nearest=nearest, estimate=estimate(job, step.stage, nearest, read))


def explain_unmade(job: Job, step: PlannedStep, missing: Sequence[str], store: Store) -> PlannedStep:
    """Add verdict and reason to a step whose artifact is not there; `missing` are its inputs that are not made."""
    nearest = step.nearest
    evicted = store.find_evicted(step.stage.name, step.key) if step.key else None
    if evicted:
        return replace(step, reason=f"{THROWN_AWAY}, and nothing needs it", digest=evicted.digest, is_evicted=True)
    if step.block:
        return replace(step, verdict="cannot run", reason=step.block.reason)
    # All but the missing inputs may be as they were: then the step is reused if those come out as they were too.
    if missing and nearest and not nearest.differences and is_there(store, nearest.record.digest):
        reason = f"if {' or '.join(f'`{kind}`' for kind in missing)} comes out different"
        return replace(step, verdict="may run", reason=reason)
    reason = step.kept.reason if step.kept else explain(step.stage, nearest, store.stat_cache)
    return replace(step, verdict="will run", reason=reason)
