"""The clusters of these tests. Those of worker processes take long, and start only with `--clusters`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpt2forge.store.store import Store
from tests.cluster.clusters import Cluster, start_cluster


@pytest.fixture(scope="module")
def cluster(with_clusters: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start four workers of one thread each."""
    with start_cluster(tmp_path_factory.mktemp("cluster"), ["w0", "w1", "w2", "w3"]) as cluster:
        yield cluster


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"
