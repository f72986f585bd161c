"""What a build would do: each step done, to run, or to run if the one before it comes out different."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from gpt2forge.plan.job import Job
from gpt2forge.plan.key import make_key, make_pre_image
from gpt2forge.plan.reason import compare, explain
from gpt2forge.stage import Advance, Stage
from gpt2forge.store.store import Store

Verdict = Literal["done", "will run", "may run"]


@dataclass(frozen=True)
class PlannedStep:
    """A verdict with its reason; `key` is None while an input is not made yet."""

    stage: str
    verdict: Verdict
    reason: str
    key: str | None
    digest: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def make_plan(job: Job, store: Store, advance: Advance) -> tuple[PlannedStep, ...]:
    """Look every step up, changing nothing; `advance` is told of source bytes that must be hashed."""
    digests: dict[str, str | None] = {kind: source.digest(store.memo, advance) for kind, source in job.sources.items()}
    steps = []
    for stage in job.stages:
        step = plan_step(job, stage, digests, store)
        digests[stage.writes] = step.digest
        steps.append(step)
    return tuple(steps)


def plan_step(job: Job, stage: Stage, digests: dict[str, str | None], store: Store) -> PlannedStep:
    pre_image = make_pre_image(job, stage, digests, store.memo)
    missing = [kind for kind in stage.reads if digests[kind] is None]
    if missing:
        earlier = store.records(stage.name)
        # All but the missing inputs may be as they were: then the step is reused if those come out as they were too.
        if any(not list(compare(record.pre_image, pre_image)) for record in earlier):
            reason = f"if {' or '.join(f'`{kind}`' for kind in missing)} comes out different"
            return PlannedStep(stage.name, "may run", reason, None, None)
        return PlannedStep(stage.name, "will run", explain(stage, pre_image, earlier), None, None)
    key = make_key(pre_image)
    record = store.find(stage.name, key)
    if record:
        return PlannedStep(stage.name, "done", "", key, record.digest)
    return PlannedStep(stage.name, "will run", explain(stage, pre_image, store.records(stage.name)), key, None)
