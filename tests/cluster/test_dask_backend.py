"""Builds on the workers of a cluster inside this process."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from distributed import LocalCluster

from gpt2forge.cluster.dask_backend import DaskBackend
from gpt2forge.cluster.open_cluster import open_cluster
from gpt2forge.errors import UserError
from gpt2forge.executor.events import Event, StepAdvanced, StepStarted
from gpt2forge.executor.job_run import JobRun
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.executor.stage_crash import StageCrash
from gpt2forge.plan.job import Job
from gpt2forge.store.store import Store
from tests.toy.job import begin, make_job, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def backend() -> Iterator[DaskBackend]:
    preload = ["gpt2forge.cluster.preload"]
    warnings: list[str] = []
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, preload=preload
        ) as local,
        open_cluster(local.scheduler_address, warnings.append) as backend,
    ):
        yield backend
    assert warnings == []


def run_all(jobs: list[Job], store: Store, backend: DaskBackend) -> tuple[list[JobRun], list[Event]]:
    events: list[Event] = []
    with store.hold():
        job_runs = [begin(job, store) for job in jobs]
        options = Options(resources=Resources(1, 1), keep_going=True, cluster=backend)
        run_jobs(job_runs, store, emit=events.append, options=options)
    return job_runs, events


def test_steps_run_once_and_make_what_a_local_build_makes(backend: DaskBackend, store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    jobs = [replace(make_job(source, times=times), name=f"toy{times}") for times in (2, 3)]
    job_runs, events = run_all(jobs, store, backend)
    assert [[each.outcome for each in job_run.outcomes] for job_run in job_runs] == [
        ["built", "built", "built"],
        ["reused", "built", "built"],
    ]
    started = [(event.recipe, event.stage) for event in events if isinstance(event, StepStarted)]
    assert len(set(started)) == len(started) == 5
    assert any(isinstance(event, StepAdvanced) and event.stage == "repeat" for event in events)
    local = [run(job, Store(tmp_path / "local")) for job in jobs]
    assert [[each.digest for each in outcomes] for outcomes in local] == [
        [each.digest for each in job_run.outcomes] for job_run in job_runs
    ]


@pytest.mark.usefixtures("with_clusters")
def test_what_a_level_has_is_pulled_and_no_worker_makes_it(backend: DaskBackend, source: Path, tmp_path: Path) -> None:
    team = pytest.importorskip("tests.remote.team")
    (tmp_path / "level").mkdir()
    job, outcomes = make_job(source), []
    for name in ("first", "second"):
        store = team.Machine(tmp_path / name, [str(tmp_path / "level")]).open()
        ((job_run,), _) = run_all([job], store, backend)
        assert job_run.error is None
        store.push((each.stage, str(each.key)) for each in job_run.outcomes)
        outcomes.append([(each.outcome, each.reason.partition(" from ")[0]) for each in job_run.outcomes])
    assert outcomes == [[("built", "not built before")] * 3, [("reused", "pulled")] * 3]


@pytest.mark.parametrize(
    ("end", "kind", "message"),
    [
        ("fault", UserError, "here: the text is bad; write a better one"),
        ("crash", StageCrash, "`repeat` failed inside gpt2forge: ValueError: a bug; its log is `{log}`"),
    ],
)
def test_failures_of_a_step_are_those_of_a_local_build(
    backend: DaskBackend, store: Store, source: Path, end: str, kind: type[Exception], message: str
) -> None:
    ((job_run,), _) = run_all([make_job(source, end=end)], store, backend)
    assert type(job_run.error) is kind
    assert str(job_run.error) == message.format(log=store.log("repeat", str(job_run.outcomes[-1].key)))
