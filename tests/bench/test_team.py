"""The simulation of a team, in small, and the page that it writes."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.scale import list_records
from bench.shapes import SHAPES
from bench.team import Filled, Team, fill_team, prepare_team
from bench.team_costs import measure_fresh, measure_kept
from bench.team_page import PAGE, fill_page, read_results
from gpt2forge.store.store import Store
from tests.workshop import Workshop


@dataclass(frozen=True)
class Small:
    """A team of two checkpoints with two recipes of one variant each; each artifact counts as one file."""

    work: Path
    filled: Filled

    @property
    def files(self) -> dict[str, int]:
        return dict.fromkeys(self.filled.templates, 1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, measured_once: Workshop) -> Small:
    work = tmp_path_factory.mktemp("team") / "work"
    prepare_team(Team(2, 2, 1), work)
    return Small(work, fill_team(work, Store(measured_once.store, is_read_only=True), work / "cache"))


@pytest.mark.slow
def test_steps_that_variants_share_are_kept_once(small: Small) -> None:
    kept = measure_kept(small.filled, small.files)
    shared = dict.fromkeys(("convert", "export", "fuse", "reference"), 2)
    assert {stage: each["artifacts"] for stage, each in kept.items()} == {
        **shared,
        **dict.fromkeys(("quantize", "verify", "benchmark"), 4),
    }
    assert kept["convert"]["bytes"] == 2 * 4 * SHAPES["124m"].parameters


@pytest.mark.slow
def test_fresh_machine_asks_for_every_step_and_pulls_the_package_alone(small: Small) -> None:
    fresh = measure_fresh(small.work, small.filled, "c000-r0@int8-32", small.files)
    (package, *_) = [record for record in list_records(small.filled.store) if record.stage == "quantize"]
    assert (fresh["records"], fresh["files"], fresh["bytes"]) == (7, 1, package.bytes_written)


def test_tables_of_the_page_are_those_of_the_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert fill_page(text, read_results()) == text, "run `python -m bench.team_costs --write-docs`"
