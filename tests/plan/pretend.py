"""Fills a store in memory as if a job had been built, without running its stages."""

from gpt2forge.digest import digest_value
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import PlannedStep, make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store
from tests.store.memory import MemoryArtifacts

SIZE = 10  # bytes of each artifact


def pretend(job: Job, store: Store) -> list[Record]:
    """Record every step that is not done, with a made-up artifact, and return the records in the order of the steps."""
    records: list[Record] = []
    while step := find_next(job, store):
        records.append(record_step(step, store))
    return records


def find_next(job: Job, store: Store) -> PlannedStep | None:
    plan = make_plan(job, Readings(store), lambda done, total, unit: None)
    return next((step for step in plan.steps if step.verdict != "done"), None)


def record_step(step: PlannedStep, store: Store) -> Record:
    assert step.key is not None
    assert isinstance(store.artifacts, MemoryArtifacts)
    digest = digest_value(["made up", step.key])
    store.artifacts.sizes[digest] = SIZE
    record = Record(
        key=step.key,
        stage=step.stage.name,
        pre_image=step.pre_image,
        digest=digest,
        metrics={},
        seconds=1.0,
        peak_memory_bytes=1,
        created=1.0,
        bytes_read=SIZE,
        bytes_written=SIZE,
    )
    store.records.write(record)
    return record
