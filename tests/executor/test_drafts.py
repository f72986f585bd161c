"""Jobs whose package holds that of another job, their draft."""

from dataclasses import replace
from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.executor.events import Event
from gpt2forge.executor.job_run import JobRun, begin_run
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.plan.blocked import StepsBlocked
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import Plan, make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.store.store import Store
from tests.plan.test_blocked import block
from tests.toy import adopt
from tests.toy.job import STAGES, make_job, words


def adopting(source: Path, draft: Job) -> Job:
    return replace(make_job(source), stages=(*STAGES, adopt.STAGE), draft=replace(draft, name="small"))


def plan(job: Job, store: Store) -> Plan:
    return make_plan(job, Readings(store), lambda done, total, unit: None)


def run(job: Job, store: Store, until: str | None = None) -> JobRun:
    events: list[Event] = []
    job_run = begin_run(plan(job, store), until=until)
    run_jobs(job_run.flatten(), store, emit=events.append, options=Options(resources=Resources(2, 1 << 40)))
    return job_run


def read(store: Store, job_run: JobRun) -> str:
    assert job_run.error is None and job_run.package is not None
    return (store.artifacts.folder(job_run.package) / "model.onnx").read_text()


@pytest.mark.slow
def test_draft_is_made_in_the_same_run_and_its_change_runs_what_reads_it(store: Store, source: Path) -> None:
    first = run(adopting(source, make_job(source, times=3)), store)
    assert read(store, first) == "hellohello+hellohellohello"
    assert words(first.outcomes) == ["reused", "built", "built", "built"]  # both read the same source
    again = run(adopting(source, make_job(source, times=3)), store)
    assert words(again.outcomes) == ["reused"] * 4
    other = run(adopting(source, make_job(source, times=4)), store)
    assert words(other.outcomes) == ["reused", "reused", "reused", "built"]
    assert other.draft and words(other.draft.outcomes) == ["reused", "built", "built"]
    assert other.outcomes[-1].reason == "draft changed"


@pytest.mark.slow
def test_draft_is_not_made_for_steps_that_do_not_read_it(store: Store, source: Path) -> None:
    job_run = run(adopting(source, make_job(source, times=3)), store, until="pack")
    assert (words(job_run.outcomes), job_run.draft) == (["built"] * 3, None)


@pytest.mark.slow
def test_draft_that_fails_ends_its_reader_with_the_same_error(store: Store, source: Path) -> None:
    job_run = run(adopting(source, make_job(source, end="fault")), store)
    assert job_run.draft and job_run.error is job_run.draft.error
    assert isinstance(job_run.error, UserError) and not job_run.is_open


@pytest.mark.slow
def test_draft_that_cannot_be_made_here_ends_its_reader(store: Store, source: Path) -> None:
    job_run = run(adopting(source, block(make_job(source, times=3), "pack")), store)
    assert isinstance(job_run.error, StepsBlocked) and job_run.error.job.name == "small"


@pytest.mark.slow
def test_evicted_package_of_a_draft_is_made_again_only_to_be_read(store: Store, source: Path) -> None:
    job = adopting(source, make_job(source, times=3))
    made = run(job, store)
    assert made.draft and made.draft.package
    store.artifacts.evict(made.draft.package)
    seen = plan(job, store)
    assert seen.draft and [step.verdict for step in (*seen.draft.steps, *seen.steps)] == ["done"] * 7
    assert seen.draft.steps[-1].is_evicted
    rerun = make_plan(job, Readings(store), lambda done, total, unit: None, rerun="adopt")
    assert rerun.draft and rerun.draft.steps[-1].verdict == "will run"
