"""Builds on clusters of worker processes, which are killed, refused and lost."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from distributed import Client

from gpt2forge.cluster import dask_backend
from gpt2forge.cluster.open_cluster import open_cluster
from gpt2forge.errors import UserError
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.store.store import Store
from tests.cluster.clusters import Cluster, start_cluster, wait_until
from tests.cluster.matrix import EACH_ONCE, Matrix, count_steps, finish, make_matrix
from tests.toy.job import begin, make_job
from tests.workshop import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("with_clusters")]

ROUNDS = 3


@pytest.fixture(scope="module")
def matrix(with_clusters: None, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """Return a folder in which the matrix was built by this machine, in the store `local`."""
    matrix = make_matrix(tmp_path_factory.mktemp("matrix") / "here")
    matrix.build(store="local")
    return matrix


def test_each_step_runs_once_and_makes_the_bytes_of_a_local_build(cluster: Cluster, matrix: Matrix) -> None:
    events = matrix.build("--cluster", cluster.address, store="once")
    assert count_steps(events, "step_started") == EACH_ONCE
    assert count_steps(events, "step_finished") == EACH_ONCE
    assert any(each["event"] == "step_advanced" for each in events)
    assert matrix.list_files("once") == matrix.list_files("local")


def test_workers_killed_at_random_change_no_result(
    cluster: Cluster, matrix: Matrix, request: pytest.FixtureRequest
) -> None:
    draw = random.Random(request.config.getoption("--seed") or 0)
    with Client(cluster.address, set_as_default=False) as client:
        for number in range(request.config.getoption("--rounds") or ROUNDS):
            store = f"killed{number}"
            process = matrix.start("--cluster", cluster.address, store=store)
            wait_until(lambda store=store: any((matrix.folder / store / "making").glob("*")))  # type: ignore[misc]
            time.sleep(draw.uniform(0, 2))
            pids = client.run(os.getpid, on_error="ignore")
            os.kill(draw.choice(sorted(pids.values())), signal.SIGKILL)
            events = finish(process)
            assert count_steps(events, "step_finished") == EACH_ONCE
            assert matrix.list_files(store) == matrix.list_files("local")
            assert list((matrix.folder / store / "making").iterdir()) == []
            shutil.rmtree(matrix.folder / store)
            cluster.wait_for_workers(4)


def test_steps_of_a_client_that_is_killed_stay(cluster: Cluster, matrix: Matrix) -> None:
    process = matrix.start("--cluster", cluster.address, store="gone")
    records = matrix.folder / "gone/records"
    wait_until(lambda: len(list(records.glob("quantize/*.json"))) >= 2)
    process.kill()
    process.communicate()
    made = len(list(records.glob("*/*.json")))
    events = matrix.build("--cluster", cluster.address, store="gone")
    assert count_steps(events, "step_finished").total() <= EACH_ONCE.total() - made
    assert matrix.list_files("gone") == matrix.list_files("local")


def test_interrupt_stops_the_steps_that_run(cluster: Cluster, matrix: Matrix) -> None:
    process = matrix.start("--cluster", cluster.address, store="stopped")
    making = matrix.folder / "stopped/making"
    wait_until(lambda: any(making.glob("*")))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    time.sleep(1)
    assert list(making.iterdir()) == []
    matrix.build("--cluster", cluster.address, store="stopped")
    assert matrix.list_files("stopped") == matrix.list_files("local")


def test_two_builds_at_once_make_each_step_once(cluster: Cluster, matrix: Matrix) -> None:
    processes = [matrix.start("--cluster", cluster.address, "--skip", "verify", store="both") for _ in range(2)]
    built = [count_steps(finish(process), "step_finished") for process in processes]
    assert len(list((matrix.folder / "both/records").glob("*/*.json"))) == EACH_ONCE.total()
    assert max(counts.total() for counts in built) <= EACH_ONCE.total()


def test_interrupted_build_does_not_end_another_that_waits_for_its_steps(cluster: Cluster, matrix: Matrix) -> None:
    first, second = (matrix.start("--cluster", cluster.address, store="shared") for _ in range(2))
    wait_until(lambda: any((matrix.folder / "shared/making").glob("*")))
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    finish(second)
    assert matrix.list_files("shared") == matrix.list_files("local")


def test_step_that_kills_every_worker_is_one_line(store: Store, source: Path, tmp_path: Path) -> None:
    with (
        start_cluster(tmp_path / "cluster", ["only"]) as cluster,
        store.hold(),
        open_cluster(cluster.address, lambda line: None) as backend,
    ):
        job_run = begin(make_job(source, end="orphan"), store)
        options = Options(resources=Resources(1, 1), cluster=backend)
        run_jobs([job_run], store, emit=lambda event: None, options=options)
    assert isinstance(job_run.error, UserError)
    assert re.fullmatch(
        r"`repeat`: 4 workers died with it, tcp://127\.0\.0\.1:\d+ the last of them; give them more memory",
        str(job_run.error),
    )


def fake_version(folder: Path, tool: str) -> dict[str, str]:
    """Return variables by which a process finds another version of a tool installed."""
    info = folder / f"{tool}-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {tool}\nVersion: 0.1\n")
    return {"PYTHONPATH": str(folder)}


def test_worker_with_other_versions_is_refused_by_name(matrix: Matrix, tmp_path: Path) -> None:
    with start_cluster(tmp_path / "cluster") as cluster:
        cluster.add_worker("old", environment=fake_version(tmp_path / "fake", "onnx"))
        cluster.wait_for_workers(1)
        _, errors = (refused := matrix.start("--cluster", cluster.address, store="refused")).communicate(timeout=60)
        assert refused.returncode == 1
        (line,) = errors.splitlines()
        assert line.startswith("error: worker `old` (tcp://127.0.0.1:")
        assert "has onnx 0.1 in place of " in line
        cluster.add_worker("bare", preload=False)
        cluster.add_worker("good")
        cluster.wait_for_workers(3)
        process = matrix.start("--cluster", cluster.address, store="refused")
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert "worker `old`" in errors and "it gets no step" in errors
        assert "worker `bare`" in errors and "was started without `--preload gpt2forge.cluster.preload`" in errors


def test_build_waits_for_the_first_worker(matrix: Matrix, tmp_path: Path) -> None:
    with start_cluster(tmp_path / "cluster") as cluster:
        process = matrix.start("--cluster", cluster.address, "--until", "convert", store="waits")
        assert process.stderr is not None
        first = process.stderr.readline()
        assert (
            f"{cluster.address} has no workers yet; waiting for one: `dask worker {cluster.address} --preload" in first
        )
        cluster.add_worker("late")
        assert count_steps(finish(process), "step_finished") == {"convert": 1}


def test_build_goes_on_with_a_scheduler_that_restarts(matrix: Matrix, tmp_path: Path) -> None:
    with start_cluster(tmp_path / "cluster", ["w0", "w1"]) as cluster:
        process = matrix.start("--cluster", cluster.address, store="restarted")
        wait_until(lambda: any((matrix.folder / "restarted/records/quantize").glob("*.json")))
        cluster.kill_scheduler()
        cluster.start_scheduler_again()
        for name in ("w2", "w3"):
            cluster.add_worker(name)
        events = finish(process)
    assert count_steps(events, "step_finished") <= EACH_ONCE
    assert any(each["event"] == "step_waiting" and "to come back" in each["what"] for each in events)
    assert matrix.list_files("restarted") == matrix.list_files("local")


def test_build_that_waits_for_its_scheduler_can_be_interrupted(matrix: Matrix, tmp_path: Path) -> None:
    with start_cluster(tmp_path / "cluster", ["only"]) as cluster:
        process = matrix.start("--cluster", cluster.address, store="lost")
        wait_until(lambda: any((matrix.folder / "lost/making").glob("*")))
        cluster.kill_scheduler()
        assert process.stdout is not None
        assert any("to come back" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors


def test_scheduler_that_does_not_come_back_ends_the_build_in_one_line(
    store: Store, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_backend, "RETURN", 1.0)
    with (
        start_cluster(tmp_path / "cluster", ["only"]) as cluster,
        store.hold(),
        open_cluster(cluster.address, lambda line: None) as backend,
    ):
        cluster.kill_scheduler()
        job_run = begin(make_job(source), store)
        options = Options(resources=Resources(1, 1), cluster=backend)
        run_jobs([job_run], store, emit=lambda event: None, options=options)
        assert str(job_run.error) == (
            f"{cluster.address}: the scheduler went away, and did not come back in 1 seconds; start it and build "
            "again, finished steps are kept"
        )


def test_scheduler_that_is_not_there_is_one_line_at_once(matrix: Matrix) -> None:
    began = time.monotonic()
    command = [sys.executable, "-m", "gpt2forge", "build", "matrix", "--cluster", "tcp://127.0.0.1:9"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=matrix.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error: `--cluster tcp://127.0.0.1:9`: no scheduler answers; start one with `dask scheduler`, and name its "
        "address, as in `tcp://host:8786`\n"
    )
    assert time.monotonic() - began < 10
