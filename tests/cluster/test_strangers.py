"""Workers that share no folder with the build: a mount hides its folder from them. Files go through a remote level."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from distributed import Client

from tests.cluster.clusters import Cluster, start_cluster, wait_until
from tests.cluster.matrix import EACH_ONCE, Matrix, count_steps, finish, make_matrix
from tests.fetch.servers import serve
from tests.remote.cache_server import Cache, CacheHandler

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("with_clusters")]

NAMES = ("far0", "far1", "far2", "far3")


@pytest.fixture(scope="module")
def matrix(with_clusters: None, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """Return a folder in which the matrix was built by this machine, in the store `local`."""
    matrix = make_matrix(tmp_path_factory.mktemp("matrix") / "here")
    matrix.build(store="local")
    return matrix


@pytest.fixture
def strangers(matrix: Matrix, tmp_path: Path) -> Iterator[Cluster]:
    """Start four workers from which the folder of the builds is hidden."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs `unshare -rm`")
    with start_cluster(tmp_path / "cluster") as cluster:
        for name in NAMES:
            cluster.add_stranger(name, matrix.folder)
        cluster.wait_for_workers(len(NAMES))
        yield cluster


@pytest.fixture
def level(tmp_path: Path) -> Path:
    (tmp_path / "level").mkdir()
    return tmp_path / "level"


def test_each_step_runs_once_and_makes_the_bytes_of_a_local_build(
    strangers: Cluster, matrix: Matrix, level: Path
) -> None:
    events = matrix.build("--cluster", strangers.address, "--exchange", str(level), store="far")
    assert count_steps(events, "step_finished") == EACH_ONCE
    assert matrix.list_files("far") == matrix.list_files("local")
    made = [len(list((strangers.folder / name).glob("cache/records/*/*.json"))) for name in NAMES]
    assert sum(made) == EACH_ONCE.total() and max(made) < sum(made)
    again = matrix.build("--cluster", strangers.address, "--exchange", str(level), store="far")
    assert count_steps(again, "step_finished").total() == 0


def test_without_an_exchange_the_line_names_it(strangers: Cluster, matrix: Matrix) -> None:
    process = matrix.start("--cluster", strangers.address, store="unshared")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "share, under one path, or give the build an `--exchange`" in errors


def test_http_cache_carries_them_too(strangers: Cluster, matrix: Matrix, level: Path) -> None:
    cache = Cache(root=level)
    with serve(cache, CacheHandler):
        events = matrix.build("--cluster", strangers.address, "--exchange", cache.url, store="http")
    assert count_steps(events, "step_finished") == EACH_ONCE
    assert matrix.list_files("http") == matrix.list_files("local")


def test_workers_killed_at_random_change_no_result(
    strangers: Cluster, matrix: Matrix, level: Path, request: pytest.FixtureRequest
) -> None:
    draw = random.Random(request.config.getoption("--seed") or 0)
    with Client(strangers.address, set_as_default=False) as client:
        for number in range(request.config.getoption("--rounds") or 2):
            store = f"killed{number}"
            process = matrix.start("--cluster", strangers.address, "--exchange", str(level), store=store)
            wait_until(lambda: any(strangers.folder.glob("far*/cache/making/*")))
            time.sleep(draw.uniform(0, 2))
            pids = client.run(os.getpid, on_error="ignore")
            os.kill(draw.choice(sorted(pids.values())), signal.SIGKILL)
            finish(process)
            assert matrix.list_files(store) == matrix.list_files("local")
            shutil.rmtree(matrix.folder / store)
            for name in NAMES:
                shutil.rmtree(strangers.folder / name / "cache", ignore_errors=True)
            strangers.wait_for_workers(len(NAMES))
