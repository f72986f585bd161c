"""Several jobs in one run: shared steps, steps that run at once, and jobs that a failure ends."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.executor.events import Event, StepFinished
from gpt2forge.executor.job_run import JobRun, NoChecks
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.resources import Resources, find_memory
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.plan.job import Job
from gpt2forge.plan.source import Source
from gpt2forge.stages.stage import Stage
from gpt2forge.store.store import Store
from tests.toy import gather, meet
from tests.toy.job import begin, list_files, make_job, words
from tests.toy.sections import Meeting

pytestmark = pytest.mark.slow

PLENTY = 1 << 40


def run_all(
    jobs: list[Job], store: Store, lanes: int = 2, memory: int = PLENTY, keep_going: bool = False
) -> tuple[list[JobRun], list[Event]]:
    events: list[Event] = []
    job_runs = [begin(job, store) for job in jobs]
    options = Options(resources=Resources(lanes, memory), keep_going=keep_going)
    run_jobs(job_runs, store, emit=events.append, options=options)
    return job_runs, events


def make_meeting(folder: Path, name: str, wants: str, stage: Stage = meet.STAGE) -> Job:
    """Return a job of two stages; the second one meets those of other jobs in `folder`."""
    place = folder / "place"
    place.mkdir(parents=True, exist_ok=True)
    job = make_job(folder / "source")
    sections = {"meeting": Meeting.model_validate({"place": str(place), "name": name, "wants": wants})}
    sources = {"checkpoint": Source(folder / "source", list_files)}
    return Job(name=name, stages=(gather.STAGE, stage), sections=sections, target=job.target, sources=sources)


def test_step_that_several_jobs_share_is_built_once(store: Store, source: Path) -> None:
    jobs = [replace(make_job(source, times=times), name=f"toy-{times}-{n}") for times in (2, 3) for n in (1, 2)]
    job_runs, events = run_all(jobs, store, lanes=4)
    built = Counter(
        (each.stage, each.key) for job_run in job_runs for each in job_run.outcomes if each.outcome == "built"
    )
    assert set(built.values()) == {1}
    assert Counter(stage for stage, _ in built) == {"gather": 1, "repeat": 2, "pack": 2}
    finished = [(event.recipe, event.outcome.stage) for event in events if isinstance(event, StepFinished)]
    assert sorted(finished) == sorted((job.name, stage.name) for job in jobs for stage in job.stages)


def test_steps_of_two_jobs_run_at_once(tmp_path: Path, store: Store) -> None:
    job_runs, _ = run_all([make_meeting(tmp_path, name, "company") for name in "ab"], store)
    assert [words(job_run.outcomes) for job_run in job_runs] == [["built", "built"], ["reused", "built"]]


@pytest.mark.parametrize(
    ("lanes", "memory", "stage"),
    [(1, PLENTY, meet.STAGE), (3, 1, meet.STAGE), (3, PLENTY, replace(meet.STAGE, threaded=True))],
    ids=["one job at once", "memory for one", "every processor taken"],
)
def test_steps_run_one_after_the_other_where_memory_is_too_small_for_two(
    tmp_path: Path, store: Store, lanes: int, memory: int, stage: Stage
) -> None:
    jobs = [make_meeting(tmp_path, name, "solitude", stage) for name in "abc"]
    job_runs, _ = run_all(jobs, store, lanes, memory)
    assert [job_run.error for job_run in job_runs] == [None] * 3


def test_failure_ends_its_own_job_alone_with_keep_going(store: Store, source: Path) -> None:
    jobs = [make_job(source, end="fault"), make_job(source, times=3)]
    (bad, good), _ = run_all(jobs, store, keep_going=True)
    assert words(bad.outcomes) == ["built", "failed"]
    assert str(bad.error) == "here: the text is bad; write a better one"
    assert good.is_whole
    assert good.error is None


def test_nothing_new_begins_after_a_failure(store: Store, source: Path) -> None:
    jobs = [make_job(source, end="fault"), make_job(source, times=3)]
    (bad, other), _ = run_all(jobs, store, lanes=1)
    assert words(bad.outcomes) == ["built", "failed"]
    assert words(other.outcomes) == ["reused"]
    assert other.is_open


def test_failure_of_a_shared_step_ends_all_that_share_it(store: Store, source: Path) -> None:
    job_runs, _ = run_all([make_job(source, end="fault"), make_job(source, end="fault", upper=True)], store)
    assert [words(job_run.outcomes) for job_run in job_runs] == [["built", "failed"], ["reused", "failed"]]
    assert job_runs[0].error is job_runs[1].error


def test_failed_check_ends_one_job_and_not_the_step(store: Store, source: Path) -> None:
    class Refusal(NoChecks):
        def check_outcome(self, outcome: Outcome) -> None:
            if outcome.stage == "repeat":
                raise UserError("too long")

    job_runs = [begin(make_job(source), store, Refusal()), begin(make_job(source), store)]
    options = Options(resources=Resources(2, PLENTY), keep_going=True)
    run_jobs(job_runs, store, emit=lambda event: None, options=options)
    assert str(job_runs[0].error) == "too long"
    assert words(job_runs[0].outcomes)[:2] == ["built", "built"]
    assert words(job_runs[1].outcomes) == ["reused", "reused", "built"]


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_interrupt_ends_every_worker_and_keeps_what_is_finished(tmp_path: Path, source: Path, lanes: int) -> None:
    cache = tmp_path / "cache"
    make_job(source)
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "  # a shell may have set it to be ignored
        "from pathlib import Path; from tests.toy.job import *; from tests.executor.test_scheduler import *; "
        f"jobs = [make_job(Path({str(source)!r}), times=n, end='sleep') for n in range(1, 5)]; "
        f"run_all(jobs, Store(Path({str(cache)!r})), {lanes})"
    )
    build = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    pids = wait_for_sleepers(cache, lanes)
    build.send_signal(signal.SIGINT)
    _, stderr = build.communicate(timeout=60)
    assert stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    again, _ = run_all([make_job(source)], Store(cache))
    assert words(again[0].outcomes) == ["reused", "built", "built"]


def wait_for_sleepers(cache: Path, count: int) -> list[int]:
    for _ in range(1500):
        found = [path.read_text() for path in cache.glob("making/*/asleep")]
        if len([pid for pid in found if pid]) == count:
            return [int(pid) for pid in found]
        time.sleep(0.02)
    raise AssertionError("the workers did not come")


def test_memory_is_no_more_than_the_machine_has() -> None:
    assert 0 < find_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
