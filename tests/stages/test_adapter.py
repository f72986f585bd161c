"""`source.adapter` is an input of convert: its content is in the key, and a missing one is a fault of the recipe."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from safetensors.torch import load_file

from gpt2forge.errors import RecipeError
from gpt2forge.plan.from_recipe import make_job
from gpt2forge.plan.job import Job
from gpt2forge.recipe.load import load_recipe
from gpt2forge.stages.convert import STAGE
from gpt2forge.stages.stage import Inputs
from gpt2forge.store.stat_cache import StatCache
from tests.checkpoint.tiny import DATA

BASE = DATA / "peft/base"


def load(folder: Path, adapter: Path) -> Job:
    path = folder / "x.yaml"
    path.write_text(f"name: x\nsource:\n  checkpoint: {BASE}\n  adapter: {adapter}\ntarget:\n  device: cpu\n")
    return make_job(load_recipe(str(path)))


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / "peft/all", tmp_path / "adapter"))


def test_adapter_is_an_input_whose_content_counts(tmp_path: Path, adapter: Path) -> None:
    job = load(tmp_path, adapter)
    assert job.stages[0].name == "convert"
    assert job.stages[0].reads == ("checkpoint", "adapter")
    source = job.sources["adapter"]
    assert [file.name for file in source.files] == ["adapter_config.json", "adapter_model.safetensors"]

    def digest() -> str:
        return source.read(StatCache(tmp_path / "stat_cache"), lambda done, total, unit: None).digest

    before = digest()
    (adapter / "logits.json").unlink()
    assert digest() == before
    path = adapter / "adapter_config.json"
    path.write_text(path.read_text().replace('"lora_alpha": 16', '"lora_alpha": 8'))
    assert digest() != before


def test_convert_merges_it(tmp_path: Path, adapter: Path) -> None:
    job = load(tmp_path, adapter)
    (tmp_path / "out").mkdir()
    paths = {kind: source.path for kind, source in job.sources.items()}
    metrics = STAGE.run(Inputs(paths), job.sections["source"], job.target, tmp_path / "out")
    assert metrics == {"tensors": 28, "parameters": 3904, "context": 8}
    name = "transformer.h.0.mlp.c_fc.weight"
    found, base = (load_file(folder / "model.safetensors")[name] for folder in (tmp_path / "out", BASE))
    assert found.shape == base.shape
    assert not found.equal(base)


def test_recipe_without_an_adapter_reads_none() -> None:
    assert STAGE.for_section(load_recipe("nano-cpu-int8").recipe.source).reads == ("checkpoint",)


def test_missing_adapter_is_a_fault_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as error:
        load(tmp_path, tmp_path / "gone")
    assert f"x.yaml:4:3: {tmp_path / 'gone'}: no adapter" in str(error.value)


def test_folder_with_only_an_adapter_is_a_fault_that_names_the_way_on(tmp_path: Path, adapter: Path) -> None:
    (tmp_path / "y.yaml").write_text(f"name: y\nsource: {{checkpoint: {adapter}}}\ntarget: {{device: cpu}}\n")
    with pytest.raises(RecipeError, match=r"name the model in `source.checkpoint` and the adapter's folder in"):
        make_job(load_recipe(str(tmp_path / "y.yaml")))
