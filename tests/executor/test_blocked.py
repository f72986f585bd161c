"""Jobs with steps that cannot run because a tool is not installed."""

from dataclasses import replace
from pathlib import Path

import pytest

from gpt2forge.executor.events import Event, StepFinished
from gpt2forge.executor.job_run import JobRun, NoChecks
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.plan.blocked import StepsBlocked
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.stages.stage import Stage
from gpt2forge.store.store import Store
from tests.plan.test_blocked import NEEDS_IT, add_tool, block
from tests.toy import gather, pack, repeat
from tests.toy.job import begin, make_job, words

MEASURE = Stage(
    name="measure",
    section=None,
    target=(),
    reads=("text",),
    writes="numbers",
    tools=(),
    version=1,
    run=gather.run,
    optional=True,
)
"""A stage that never runs here."""


def run_all(
    job_runs: list[JobRun], store: Store, lanes: int = 2, keep_going: bool = False, rerun: str | None = None
) -> list[Event]:
    events: list[Event] = []
    options = Options(resources=Resources(lanes, 1 << 40), rerun=rerun, keep_going=keep_going)
    run_jobs(job_runs, store, emit=events.append, options=options)
    return events


def end_in(job: Job, *stages: Stage) -> Job:
    """Return the job with other stages after its first two."""
    return replace(job, stages=(gather.STAGE, repeat.STAGE, *stages))


def test_every_other_step_is_made_and_the_error_comes_last(store: Store, source: Path) -> None:
    finished: list[JobRun] = []

    class Finish(NoChecks):
        def finish(self, job_run: JobRun) -> None:
            finished.append(job_run)

    measured = end_in(make_job(source), add_tool(MEASURE), pack.STAGE)
    job_run = begin(measured, store, Finish())
    events = run_all([job_run], store)
    assert [(each.stage, each.outcome) for each in job_run.outcomes] == [
        ("gather", "built"),
        ("repeat", "built"),
        ("measure", "skipped"),
        ("pack", "built"),
    ]
    last = [event.outcome for event in events if isinstance(event, StepFinished)][-1]
    assert last == Outcome("measure", "skipped", NEEDS_IT)
    assert isinstance(job_run.error, StepsBlocked)
    assert job_run.error.skip == {"measure"}
    assert (job_run.is_open, finished) == (False, [])


def test_what_was_made_is_reused(store: Store, source: Path) -> None:
    for outcomes in (["built", "built", "skipped"], ["reused", "reused", "skipped"]):
        job_run = begin(block(make_job(source), "pack"), store)
        run_all([job_run], store)
        assert words(job_run.outcomes) == outcomes
        assert isinstance(job_run.error, StepsBlocked)
    assert store.records.list("pack") == []


def test_steps_that_read_what_is_not_made_are_left_out_too(store: Store, source: Path) -> None:
    job_run = begin(block(make_job(source), "gather"), store)
    run_all([job_run], store)
    assert [(each.outcome, each.reason) for each in job_run.outcomes] == [
        ("skipped", NEEDS_IT),
        ("skipped", "needs `text`, which cannot be made"),
        ("skipped", "needs `text`, which cannot be made"),
    ]
    assert not (store.root / "records").exists()


@pytest.mark.parametrize("lanes", [1, 2])
def test_it_ends_no_other_job(store: Store, source: Path, lanes: int) -> None:
    job_runs = [begin(block(make_job(source), "repeat"), store), begin(make_job(source), store)]
    run_all(job_runs, store, lanes)
    assert words(job_runs[0].outcomes) == ["built", "skipped", "skipped"]
    assert isinstance(job_runs[0].error, StepsBlocked)
    assert words(job_runs[1].outcomes) == ["reused", "built", "built"]
    assert job_runs[1].error is None


def test_failure_goes_before_it(store: Store, source: Path) -> None:
    job_run = begin(end_in(make_job(source, end="fault"), add_tool(MEASURE), pack.STAGE), store)
    run_all([job_run], store)
    assert str(job_run.error) == "here: the text is bad; write a better one"
    assert words(job_run.outcomes) == ["built", "failed"]


def test_run_that_ends_before_it_is_whole(store: Store, source: Path) -> None:
    job_run = begin(block(make_job(source), "pack"), store, until="repeat")
    run_all([job_run], store)
    assert (words(job_run.outcomes), job_run.error) == (["built", "built"], None)


@pytest.mark.parametrize(
    ("until", "rerun", "can_skip"),
    [(None, None, True), (None, "repeat", True), (None, "measure", False), ("measure", None, False)],
    ids=str,
)
def test_skip_is_offered_where_no_other_option_forbids_it(
    store: Store, source: Path, until: str | None, rerun: str | None, can_skip: bool
) -> None:
    job_run = begin(end_in(make_job(source), pack.STAGE, add_tool(MEASURE)), store, until=until, rerun=rerun)
    run_all([job_run], store, rerun=rerun)
    assert isinstance(job_run.error, StepsBlocked)
    assert job_run.error.can_skip is can_skip


def test_stage_skipped_on_request_is_reported(store: Store, source: Path) -> None:
    job = replace(block(make_job(source), "pack"), skipped=(MEASURE,))
    job_run = begin(job, store)
    run_all([job_run], store)
    assert [(each.stage, each.reason) for each in job_run.outcomes][2:] == [
        ("pack", NEEDS_IT),
        ("measure", "asked for by `--skip`"),
    ]


def test_step_that_cannot_run_is_not_checked(store: Store, source: Path) -> None:
    seen: list[str] = []

    class Watch(NoChecks):
        def check_step(self, step: PlannedStep) -> None:
            seen.append(f"step {step.stage.name}")

        def check_outcome(self, outcome: Outcome) -> None:
            seen.append(f"outcome {outcome.stage}")

    job_run = begin(block(make_job(source), "repeat"), store, Watch())
    run_all([job_run], store)
    assert seen == ["step gather", "outcome gather"]
