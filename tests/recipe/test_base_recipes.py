"""Base recipes that come with the package."""

from pathlib import Path

import pytest

from gpt2forge.recipe.base_recipes import FOLDER, find_base, list_bases
from gpt2forge.recipe.load import load_recipe
from gpt2forge.recipe.merge import read_chain
from tests.recipe.recipe_text import faults, write
from tests.workshop import ROOT

HERE = "name: mine\nsource: {checkpoint: here}\n"


def test_bases_are_listed() -> None:
    assert list_bases() == ["gpt2forge/cpu", "gpt2forge/cuda", "gpt2forge/vnni"]


@pytest.mark.parametrize(
    ("name", "target"), [("cpu", ("cpu", "any")), ("vnni", ("cpu", "vnni")), ("cuda", ("cuda", "any"))]
)
def test_recipe_extends_a_base_from_any_folder(folder: Path, name: str, target: tuple[str, str]) -> None:
    fusion = "" if name == "cuda" else "quantization: {scheme: int8}\n"
    write(f"extends: gpt2forge/{name}\n{HERE}{fusion}")
    loaded = load_recipe("mine")
    assert (loaded.recipe.target.device, loaded.recipe.target.cpu) == target
    assert loaded.recipe.verify is None
    assert loaded.place("target", "device").file.startswith(str(FOLDER))


def test_shipped_recipes_have_no_copy_of_a_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("cpu", "vnni", "cuda"):
        chain = [path for path, _ in read_chain(Path(f"recipes/base/{name}.yaml"))]
        assert FOLDER / f"{name}.yaml" in chain
        (own,) = [document for path, document in read_chain(chain[0]) if path == chain[0]]
        assert set(own.value) <= {"verify"}


def test_base_and_file_are_extended_together_and_each_counts_once(folder: Path) -> None:
    Path("recipes/limits.yaml").write_text("extends: gpt2forge/vnni\ntarget: {cpu: any}\n")
    write(f"extends: [limits.yaml, gpt2forge/cpu]\n{HERE}")
    assert load_recipe("mine").recipe.target.cpu == "any"
    assert [path.stem for path, _ in read_chain(Path("recipes/mine.yaml"))] == ["mine", "limits", "vnni", "cpu"]


def test_unknown_base_is_named_with_those_that_there_are(folder: Path) -> None:
    assert faults(f"extends: gpt2forge/gpu\n{HERE}")[0] == (
        "recipes/mine.yaml:1:1: `extends: gpt2forge/gpu`: no base recipe has this name; "
        "there are `gpt2forge/cpu`, `gpt2forge/cuda`, `gpt2forge/vnni`"
    )


@pytest.mark.parametrize("entry", ["base/cpu.yaml", "cpu.yaml", "gpt2forge/cpu.yaml", "cpu", "base/cpu.yml"])
def test_missing_file_like_a_base_is_told_the_base(folder: Path, entry: str) -> None:
    (fault,) = faults(f"extends: {entry}\n{HERE}")
    assert fault.endswith("; did you mean `gpt2forge/cpu`, which comes with gpt2forge?")
    assert fault.startswith(f"recipes/mine.yaml:1:1: `extends: {entry}`: there is no file `recipes/{entry}`")


@pytest.mark.parametrize("entry", ["gpt2forge/../cpu", "gpt2forge/", "gpt2forge", "../gpt2forge/cpu", "gpt2forge/a/b"])
def test_other_entries_are_paths(entry: str) -> None:
    assert find_base(entry) is None
