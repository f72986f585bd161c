"""What a build would do: each step done, to run, or to run if the one before it comes out different."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gpt2forge.plan.estimate import Estimate, estimate
from gpt2forge.plan.job import Job
from gpt2forge.plan.key import make_key, make_pre_image
from gpt2forge.plan.reason import Nearest, explain, find_nearest
from gpt2forge.stage import Advance, Stage
from gpt2forge.store.store import Store

Verdict = Literal["done", "will run", "may run"]


@dataclass(frozen=True)
class PlannedStep:
    """A verdict with its reason; `key` is None while an input is not made yet.

    `nearest` is the earlier one that the reason speaks of, `estimate` what making it will take; None where it is done.
    """

    stage: Stage
    verdict: Verdict
    reason: str
    pre_image: Mapping[str, Any]
    key: str | None = None
    digest: str | None = None
    nearest: Nearest | None = None
    estimate: Estimate | None = None

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


def make_plan(job: Job, store: Store, advance: Advance) -> tuple[PlannedStep, ...]:
    """Look every step up, changing nothing; `advance` is told of source bytes that must be hashed."""
    digests: dict[str, str | None] = {kind: source.digest(store.memo, advance) for kind, source in job.sources.items()}
    sizes = {kind: source.size for kind, source in job.sources.items()}
    steps = []
    for stage in job.stages:
        step = plan_step(job, stage, digests, sizes, store)
        digests[stage.writes] = step.digest
        sizes[stage.writes] = step.estimate.written if step.estimate else store.measure(str(step.digest))
        steps.append(step)
    return tuple(steps)


def plan_step(
    job: Job, stage: Stage, digests: Mapping[str, str | None], sizes: Mapping[str, int], store: Store
) -> PlannedStep:
    pre_image = make_pre_image(job, stage, digests, store.memo)
    missing = [kind for kind in stage.reads if digests[kind] is None]
    key = None if missing else make_key(pre_image)
    record = store.find(stage.name, key) if key else None
    if record:
        return PlannedStep(stage, "done", "", pre_image, key, record.digest)
    nearest = find_nearest(pre_image, store.records(stage.name))
    expected = estimate(job, stage, nearest, sum(sizes[kind] for kind in stage.reads))
    # All but the missing inputs may be as they were: then the step is reused if those come out as they were too.
    if missing and nearest and not nearest.differences and store.is_whole(nearest.record.digest):
        reason = f"if {' or '.join(f'`{kind}`' for kind in missing)} comes out different"
        return PlannedStep(stage, "may run", reason, pre_image, nearest=nearest, estimate=expected)
    reason = explain(stage, nearest, store.memo)
    return PlannedStep(stage, "will run", reason, pre_image, key, nearest=nearest, estimate=expected)
