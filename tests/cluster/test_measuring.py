"""Steps that must run alone on their machine, on a cluster whose workers share one."""

from pathlib import Path

import pytest

pytest.importorskip("distributed")

from gpt2forge.cluster import dask_backend
from gpt2forge.cluster.open_cluster import open_cluster
from gpt2forge.executor.job_run import JobRun
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.store.store import Store
from tests.cluster.clusters import start_cluster
from tests.executor.test_scheduler import make_meeting
from tests.toy import alone
from tests.toy.job import begin

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("with_clusters")]


def run_alone(folder: Path, store: Store, address: str) -> list[JobRun]:
    """Run three jobs whose last steps fail if two of them run at once."""
    jobs = [make_meeting(folder, f"m{number}", "solitude", alone.STAGE) for number in range(3)]
    with store.hold(), open_cluster(address, lambda line: None) as backend:
        job_runs = [begin(job, store) for job in jobs]
        options = Options(resources=Resources(1, 1), keep_going=True, cluster=backend)
        run_jobs(job_runs, store, emit=lambda event: None, options=options)
    return job_runs


def test_two_workers_of_one_machine_never_measure_at_once(store: Store, tmp_path: Path) -> None:
    with start_cluster(tmp_path / "cluster", ["m0", "m1"], "--resources", "MEASURE=1") as cluster:
        job_runs = run_alone(tmp_path, store, cluster.address)
    assert [job_run.error for job_run in job_runs] == [None] * 3
    assert [job_run.outcomes[-1].outcome for job_run in job_runs] == ["built"] * 3


def test_cluster_without_a_worker_that_measures_says_so(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_backend, "GRACE", 0.5)
    with start_cluster(tmp_path / "cluster", ["w0"]) as cluster:
        job_run, *_ = run_alone(tmp_path, store, cluster.address)
        assert str(job_run.error) == (
            f"`alone` of m0: no worker of {cluster.address} is there to measure; start one with "
            "`--resources MEASURE=1`, or leave it out with `--skip alone`"
        )
