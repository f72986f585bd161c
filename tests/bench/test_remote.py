"""The bench's part about remote levels, in small."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from bench import remote
from bench.plan import Plan
from bench.shapes import NANO
from bench.tables import tabulate_remote
from tests.workshop import ROOT

pytestmark = pytest.mark.slow


def test_builds_with_a_level_are_measured(tmp_path: Path) -> None:
    plan = Plan("nano", NANO, ROOT / "examples/nano", tmp_path, rounds=1)
    found = remote.measure_remote({"nano": plan})["nano"]
    assert list(found) == [remote.COLD_BUILD, remote.FOLDER, remote.HTTP, remote.NOTHING, remote.COPY]
    package = found[remote.COPY]["store_bytes"]
    assert found[remote.COLD_BUILD]["store_bytes"] > found[remote.HTTP]["store_bytes"] == package
    assert found[remote.FOLDER]["requests"] == found[remote.NOTHING]["requests"] == 0
    assert found[remote.HTTP]["sent_bytes"] > package
    assert tabulate_remote("nano", found).rows[-1][2] == "1.0"
