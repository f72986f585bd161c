"""The ablations of shipped recipes."""

import pytest

from gpt2forge.builder.comparison import flatten
from gpt2forge.recipe.load import LoadedRecipe, load_recipe
from gpt2forge.tune.ablations import ablate, list_ablations
from tests.workshop import ROOT

FUSIONS = ["fusion.attention", "fusion.gelu", "fusion.bias"]


def load(name: str) -> LoadedRecipe:
    return load_recipe(str(ROOT / "recipes" / name))


def test_every_choice_that_is_on_is_listed_once() -> None:
    assert [each.choice for each in ablate(load("nano-cpu.yaml@fitted"))] == [
        *FUSIONS,
        "quantization.scheme: int4",
        *(f"quantization.overrides: {name}" for name in ("h.[03].attn.*", "h.0.mlp.c_fc")),
        *(f"quantization.overrides: {name}" for name in ("h.1.mlp.*", "h.2.mlp.c_proj")),
        "quantization.method: gptq",
        "quantization.smooth",
        "quantization.embeddings: int8",
        "quantization.positions: float16",
    ]


def list_changed(one: LoadedRecipe, other: LoadedRecipe) -> set[str]:
    values, others = (dict(flatten(each.recipe.model_dump(mode="json"))) for each in (one, other))
    return {key for key in values | others if values.get(key) != others.get(key)} - {"name"}


@pytest.mark.parametrize("name", ["nano-cpu.yaml@mixed", "nano-cpu-best.yaml", "nano-vnni-int8.yaml"])
def test_an_ablation_changes_its_own_section_and_has_a_name_of_its_own(name: str) -> None:
    loaded = load(name)
    names = {loaded.recipe.name}
    for each in ablate(loaded):
        assert each.loaded is not None
        changed = list_changed(loaded, each.loaded)
        assert changed
        assert {key.partition(".")[0] for key in changed} == {each.choice.partition(".")[0]}
        names.add(each.loaded.recipe.name)
    assert len(names) == 1 + len(ablate(loaded))


def test_the_scheme_is_turned_off_for_the_linear_layers_alone() -> None:
    ablated = {each.choice: each.loaded for each in ablate(load("nano-cpu-best.yaml"))}
    without = ablated["quantization.scheme: int8"]
    assert without is not None
    section = without.recipe.quantization
    assert (section.scheme, section.embeddings, section.embeddings_granularity) == ("none", "int8", 32)
    assert section.positions == "float16"


def test_positions_are_float32_when_their_choice_is_turned_off() -> None:
    (without,) = (each.loaded for each in ablate(load("nano-cpu-int8.yaml")) if "positions" in each.choice)
    assert without is not None
    assert without.recipe.quantization.positions == "float32"


def test_the_product_of_few_rows_goes_with_the_channels() -> None:
    recipe = load("nano-vnni-int8.yaml").recipe
    double = recipe.quantization.model_copy(update={"few_rows": "blocks"})
    changes = {each.choice: each.changes for each in list_ablations(recipe.model_copy(update={"quantization": double}))}
    assert changes["quantization.few_rows: blocks"] == {"quantization": {"few_rows": None}}
    assert changes["quantization.granularity: channel"]["quantization"]["few_rows"] is None


def test_a_choice_that_another_one_needs_is_not_turned_off() -> None:
    (attention, *others) = ablate(load("nano-cpu-fast.yaml"))
    assert attention.loaded is None
    assert "needs `fusion.attention: true`" in attention.refusal
    assert all(each.loaded for each in others)
