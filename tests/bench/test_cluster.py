"""The bench's part about clusters, in small."""

from pathlib import Path

import pytest

pytest.importorskip("distributed")

from bench.cluster import ALONE, measure_cluster

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("with_clusters")]


def test_builds_on_workers_are_measured_beside_builds_without(tmp_path: Path) -> None:
    found = measure_cluster(tmp_path / "work", workers=(1,), rounds=1)
    assert list(found) == [*ALONE, "1 worker", "1 worker, through an exchange"]
