"""A choice as a section of a recipe, and back as the storage of each weight."""

import numpy as np
import pytest

from gpt2forge.quantize.forms import FORMS, list_forms, list_weights
from gpt2forge.quantize.scheme import FLOAT32, can_match
from gpt2forge.recipe.load import load_recipe
from gpt2forge.stages import quantize
from gpt2forge.stages.quantize import resolve_scheme
from gpt2forge.stages.worker import view_section
from gpt2forge.tune.candidate import list_patterns, make_recipe, read_choice, write_section
from gpt2forge.tune.choice import Choice, Option
from tests.workshop import ROOT

LAYERS = 13
START = load_recipe(str(ROOT / "recipes/nano-cpu.yaml@fitted"))
WEIGHTS = [name for part in ("tables", *(f"h.{layer}" for layer in range(LAYERS))) for name in list_weights(part)]


def draw_choice(seed: int) -> Choice:
    random = np.random.default_rng(seed)
    names = {name: [*(form.name for form in list_forms(name, 512)), FLOAT32] for name in WEIGHTS}
    return {name: Option(name, str(random.choice(forms)), 0.0, 1, 1.0) for name, forms in names.items()}


@pytest.mark.parametrize("seed", range(4))
def test_every_weight_gets_the_form_that_was_chosen(seed: int) -> None:
    choice = draw_choice(seed)
    made = make_recipe(START, write_section(choice, START), "tuned", {"max_kl": 0.5})
    recipe = made.recipe
    section = view_section(quantize.STAGE, recipe.quantization.model_dump(mode="json"))
    scheme = resolve_scheme(section, "any")
    stored = {name: scheme.choose(name) for name in WEIGHTS} | {"wte": scheme.table, "wpe": scheme.positions}
    for name, option in choice.items():
        wanted = None if option.form == FLOAT32 else FORMS[option.form].make_storage(7)
        assert stored[name] == wanted, name
    assert read_choice(made, choice.values()) == choice
    assert recipe.verify and recipe.verify.max_kl == 0.5
    assert recipe.calibration == START.recipe.calibration


def test_few_rows_are_multiplied_as_before_where_there_are_channels() -> None:
    start = load_recipe(str(ROOT / "recipes/nano-vnni-fast.yaml"))
    by_channel = {
        name: Option(name, "8xchannel" if name.startswith("h.") else FLOAT32, 0.0, 1, 1.0) for name in WEIGHTS
    }
    in_blocks = {name: Option(name, "8x128" if name.startswith("h.") else FLOAT32, 0.0, 1, 1.0) for name in WEIGHTS}
    assert make_recipe(start, write_section(by_channel, start), "a", {}).recipe.quantization.few_rows == "blocks"
    assert make_recipe(start, write_section(in_blocks, start), "b", {}).recipe.quantization.few_rows == "channel"


def test_all_float32_needs_no_scheme() -> None:
    choice = {name: Option(name, FLOAT32, 0.0, 1, 1.0) for name in WEIGHTS}
    assert write_section(choice, START) == {"scheme": "none", "embeddings": "none"}


def test_recipe_of_a_form_that_is_no_option_is_no_choice() -> None:
    options = [Option(name, form, 0.0, 1, 1.0) for name in WEIGHTS for form in ("8x128", "float16")]
    assert read_choice(load_recipe(str(ROOT / "recipes/nano-cpu.yaml@int8-128")), options)
    assert read_choice(START, options) is None


def test_layers_of_one_form_share_patterns() -> None:
    names = [f"h.{layer}.attn.c_proj" for layer in (0, 3, 10, 11, 25)]
    patterns = list(list_patterns([*names, "h.3.mlp.c_fc"], [*names, "h.4.attn.c_proj", "h.3.mlp.c_fc"]))
    assert patterns == ["h.[03].attn.c_proj", "h.1[01].attn.c_proj", "h.25.attn.c_proj", "h.3.mlp.c_fc"]
    assert all(map(can_match, patterns))


def test_a_form_of_all_layers_is_one_pattern() -> None:
    names = [f"h.{layer}.mlp.c_fc" for layer in range(12)]
    assert list(list_patterns(names, names)) == ["h.*.mlp.c_fc"]
