"""The plan of a build: each step done, to run, to run if the one before it comes out different, or unable to run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from gpt2forge.plan.blocked import Block, find_block
from gpt2forge.plan.equivalents import find_kept, revise
from gpt2forge.plan.estimate import Estimate, estimate
from gpt2forge.plan.job import Job
from gpt2forge.plan.key import make_key, make_pre_image
from gpt2forge.plan.reason import THROWN_AWAY, Nearest, explain, find_nearest
from gpt2forge.stages.stage import PACKAGE, Advance, Stage
from gpt2forge.store.store import Store

Verdict = Literal["done", "will run", "may run", "cannot run"]


@dataclass(frozen=True)
class PlannedStep:
    """A verdict with its reason; `key` is None while an input is not made yet, and where the step cannot run.

    `nearest` is the earlier one that the reason speaks of, `estimate` what making it will take; None where it is done.
    `is_evicted`: it is done, its artifact was thrown away, and nothing needs to read that.
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
    is_evicted: bool = False
    block: Block | None = None

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


def make_plan(job: Job, store: Store, advance: Advance, rerun: str | None = None) -> tuple[PlannedStep, ...]:
    """Look every step up, changing nothing; `advance` is told of source bytes that must be hashed.

    `rerun` names a stage that will be made again.
    """
    inputs = {
        kind: Input(digest, digest, source.size)
        for kind, source in job.sources.items()
        for digest in [source.digest(store.stat_cache, advance)]
    }
    steps: list[PlannedStep] = []
    for stage in job.stages:
        step = plan_step(job, stage, inputs, store, [step.stage.name for step in steps if step.block])
        size = step.estimate.written if step.estimate else store.artifacts.measure(str(step.digest))
        inputs[stage.writes] = Input(step.digest, step.digest or step.identity, size)
        steps.append(step)
    return restore_needed(job, steps, rerun)


def is_there(store: Store, digest: str) -> bool:
    """Whether what came out is whole, or was thrown away, so that what came out is known."""
    return store.artifacts.is_whole(digest) or store.artifacts.is_evicted(digest)


def restore_needed(job: Job, steps: Sequence[PlannedStep], rerun: str | None) -> tuple[PlannedStep, ...]:
    """What was thrown away will be made again where a step that runs reads it, or it is what is published."""
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
    """Plans that are carried out as one: what was thrown away, and one of them makes again, is made for all."""
    made = {step.identity: step for plan in plans for step in plan if step.verdict == "will run"}
    return [tuple(made.get(step.identity, step) if step.is_evicted else step for step in plan) for plan in plans]


@dataclass(frozen=True)
class Input:
    """What a step reads: its digest, None while it is not made; what tells it from all others; its bytes."""

    digest: str | None
    identity: str
    size: int


def plan_step(job: Job, stage: Stage, inputs: Mapping[str, Input], store: Store, blocked: Sequence[str]) -> PlannedStep:
    pre_image: Mapping[str, Any] = make_pre_image(
        job, stage, {kind: each.digest for kind, each in inputs.items()}, store.stat_cache
    )
    missing = [kind for kind in stage.reads if inputs[kind].digest is None]
    identity = make_key({**pre_image, "inputs": {kind: inputs[kind].identity for kind in stage.reads}})
    kept = None if missing else find_kept(job, stage, pre_image, store)
    if kept:
        pre_image = revise(stage, pre_image, kept)
        identity = make_key(pre_image)
    block = find_block(job, stage, {} if kept else pre_image["tools"], blocked)
    key = None if missing or block else identity
    record = store.find(stage.name, key) if key else None
    if record:
        return PlannedStep(stage, "done", kept.reason if kept else "", pre_image, identity, key, record.digest)
    nearest = find_nearest(pre_image, store.records.list(stage.name))
    expected = estimate(job, stage, nearest, sum(inputs[kind].size for kind in stage.reads))
    evicted = store.find_evicted(stage.name, key) if key else None
    if evicted:
        reason = f"{THROWN_AWAY}, and nothing needs it"
        return PlannedStep(stage, "done", reason, pre_image, identity, key, evicted.digest, nearest, expected, True)
    if block:
        return PlannedStep(
            stage, "cannot run", block.reason, pre_image, identity, nearest=nearest, estimate=expected, block=block
        )
    # All but the missing inputs may be as they were: then the step is reused if those come out as they were too.
    if missing and nearest and not nearest.differences and is_there(store, nearest.record.digest):
        reason = f"if {' or '.join(f'`{kind}`' for kind in missing)} comes out different"
        return PlannedStep(stage, "may run", reason, pre_image, identity, nearest=nearest, estimate=expected)
    reason = kept.reason if kept else explain(stage, nearest, store.stat_cache)
    return PlannedStep(stage, "will run", reason, pre_image, identity, key, nearest=nearest, estimate=expected)
