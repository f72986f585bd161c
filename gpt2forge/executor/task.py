"""A step to run, as plain values: what decides its result, what it reads, and the store for its artifact."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.plan.equivalents import Equivalent
from gpt2forge.plan.plan import Plan, PlannedStep
from gpt2forge.plan.source import Source
from gpt2forge.stages.stage import Stage
from gpt2forge.store.records import PreImage
from gpt2forge.store.stat_cache import StatEntry
from gpt2forge.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Task:
    """A step of a recipe that must run.

    `inputs` are the digests of what it reads, by kind; `sources` are those inputs that no step made, and `stats` the
    stats of their files while they had the digested bytes. `section` and `target` are the values of the recipe.
    `expected_seconds` is None if the step never ran, `memory` the bytes of anonymous memory that it is expected to use.
    `equivalent` is the artifact of other tool versions to copy. `is_rerun`: it runs even if its artifact exists.
    """

    recipe: str
    stage: Stage
    key: str
    pre_image: PreImage
    inputs: Mapping[str, str]
    sources: Mapping[str, Source]
    stats: Mapping[str, Mapping[Path, StatEntry]]
    section: Mapping[str, Any]
    target: Mapping[str, Any]
    store: Store
    reason: str
    expected_seconds: float | None = None
    memory: int = 0
    equivalent: Equivalent | None = None
    is_rerun: bool = False


def make_task(step: PlannedStep, plan: Plan, store: Store, *, is_rerun: bool = False) -> Task:
    """Make the task of a planned step whose inputs are made."""
    assert step.key is not None, f"{step.stage.name} runs before its inputs are made"
    job = plan.job
    sources = {kind: job.sources[kind] for kind in step.inputs if kind in job.sources}
    return Task(
        recipe=job.name,
        stage=step.stage,
        key=step.key,
        pre_image=step.pre_image,
        inputs={kind: str(digest) for kind, digest in step.inputs.items()},
        sources=sources,
        stats={kind: plan.stats[kind] for kind in sources},
        section=job.section_values(step.stage),
        target=job.target.model_dump(mode="json"),
        store=store,
        reason="asked for by `--rerun`" if is_rerun else step.reason,
        expected_seconds=step.estimate.seconds if step.estimate else None,
        memory=step.estimate.memory if step.estimate else 0,
        equivalent=step.equivalent,
        is_rerun=is_rerun,
    )
