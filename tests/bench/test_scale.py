"""The bench's part about many recipes and artifacts, in small."""

from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from bench import scale
from bench.scale import IMPORT, WALK, fill_store, measure_scale, prepare_recipes, turn
from bench.tables import tabulate_scale
from gpt2forge.store.inventory import list_digests, list_records
from gpt2forge.store.store import Store
from tests.workshop import Workshop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, built_once: Workshop) -> dict[str, Any]:
    """Return what the part measures in a folder whose store has the steps of `nano-cpu-int8` already."""
    work = tmp_path_factory.mktemp("scale") / "work"
    copytree(built_once.store, work / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scale, "ROUNDS", 1)
        patch.setattr(scale, "UNMEASURED_ROUNDS", 0)
        patch.setattr(scale, "VARIANTS", 2)
        return measure_scale(work, (1,), (4,))


def test_every_command_is_measured_beside_its_floor(measured: dict[str, Any]) -> None:
    recipes, artifacts = (measured[what]["systems"] for what in ("recipes", "artifacts"))
    assert set(recipes) == {"ours, plan", "ours, plan of variants", "ours, build with nothing to do", IMPORT}
    assert set(artifacts) == {"ours, plan of an edit", "ours, store ls", "ours, store gc --dry-run", WALK}
    assert all(set(found["ms"]) == {"4"} for found in artifacts.values())
    (row, *_) = [row for row in tabulate_scale("recipes", recipes).rows if row[0] == "ours, plan"]
    assert row[-1] == "1.00"


def test_filled_store_has_as_many_artifacts_as_asked_for(tmp_path: Path, built_once: Workshop) -> None:
    fill_store(built_once.store, tmp_path / "store", 9)
    store = Store(tmp_path / "store", is_read_only=True)
    assert len(list(list_digests(store))) == len(list(list_records(store))) == 9
    assert all(store.artifacts.is_whole(record.digest) for record in list_records(store))


def test_what_is_prepared_is_kept(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    prepare_recipes(tmp_path, 1)
    assert list((tmp_path / "recipes").iterdir()) == []
    assert turn({}) == {"systems": {}}
