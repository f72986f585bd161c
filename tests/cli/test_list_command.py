"""`gpt2forge list`: states, sizes and faults, of recipes, variants and results."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.store.stat_cache import TICK
from tests.workshop import Workshop, copy_workshop

PLAIN = "name: plain\nsource: {checkpoint: examples/nano}\ntarget: {device: cpu}\nquantization: {scheme: int8}\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, built_once: Workshop) -> Workshop:
    """Make a folder with recipes of every state."""
    shop = copy_workshop(built_once, tmp_path_factory.mktemp("list") / "here")
    (shop.folder / "recipes").unlink()
    (shop.folder / "recipes").mkdir()
    for name in ("plain", "older", "failing", "unbuilt"):
        (shop.folder / f"recipes/{name}.yaml").write_text(PLAIN.replace("plain", name))
    time.sleep(2 * TICK / 1e9)  # or the recipe is too young for a stamp
    shop.run("build", "plain", measured=True)
    shop.run("build", "older")
    recipe = shop.folder / "recipes/older.yaml"
    recipe.write_text(recipe.read_text().replace("int8", "none"))
    failing = shop.folder / "recipes/failing.yaml"
    failing.write_text(failing.read_text().replace("int8", "int8, skip: [h.9.*]"))
    shop.run("build", "failing", code=1)
    (shop.folder / "recipes/wrong.yaml").write_text(PLAIN.replace("plain", "wrong") + "verfy: {}\n")
    (shop.folder / "recipes/broken.yaml").write_text("name: [\n")
    matrix = "matrix: {small: {quantization: {scheme: int4}}, large: {}}\n"
    (shop.folder / "recipes/many.yaml").write_text(PLAIN.replace("plain", "many") + matrix)
    return shop


def read_entries(shop: Workshop, *words: str) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in json.loads(shop.run("list", "--json", *words).stdout)["recipes"]}


def test_every_state_is_told(shop: Workshop) -> None:
    found = read_entries(shop)
    assert {name: entry["state"] for name, entry in found.items()} == {
        "plain": "current",
        "older": "changed",
        "failing": "failed",
        "unbuilt": "not built",
        "wrong": "wrong",
        "broken": "wrong",
        "many@small": "not built",
        "many@large": "not built",
        "nano-cpu-int8": "no recipe",
    }
    size = sum(path.stat().st_size for path in (shop.folder / "build/plain").iterdir())
    assert found["plain"]["bytes"] == size and found["unbuilt"]["bytes"] is None
    assert found["many@small"]["scheme"] == "int4"
    assert found["wrong"]["faults"] == ["recipes/wrong.yaml:5:1: unknown key `verfy`; did you mean `verify`?"]


def test_table_has_a_line_for_each_and_faults_are_warnings(shop: Workshop) -> None:
    done = shop.run("list")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["state", "recipe", "size", "weights"]
    assert len(lines) == 10
    assert "warning: recipes/wrong.yaml:5:1: unknown key `verfy`" in done.stderr


def test_only_selected_recipes_are_listed(shop: Workshop) -> None:
    assert list(read_entries(shop, "many")) == ["many@small", "many@large"]
    assert list(read_entries(shop, "p*")) == ["plain"]
    assert "there is no `recipes/nowhere.yaml`" in shop.run("list", "nowhere", code=1).stderr


def test_unmeasured_result_is_built(workshop: Workshop) -> None:
    assert read_entries(workshop, "nano-cpu-int8")["nano-cpu-int8"]["state"] == "built"


def test_empty_folder_is_told_how_to_start(tmp_path: Path) -> None:
    done = Workshop(tmp_path).run("list")
    assert done.stdout == "" and "gpt2forge init CHECKPOINT" in done.stderr
    assert json.loads(Workshop(tmp_path).run("list", "--json").stdout) == {"recipes": []}
    assert list(tmp_path.iterdir()) == []
