"""The plan: the systems, runs and parts for each model."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from bench.__main__ import APART, PARTS, USUAL, choose_models, choose_parts
from bench.host import read_pins
from bench.peers.systems import HERE, OURS, SYSTEMS, choose_systems
from bench.plan import RECIPES, REWRITTEN, SHIPPED, VARIANTS, WITHOUT, plan_models, plan_rewrites
from bench.shapes import SHAPES
from interop.environments import HERE as HOSTS

PLANS = plan_models(list(SHAPES), Path("work"), rounds=7, builds=2)


def test_every_variant_has_a_recipe_for_the_example_and_for_the_shipped_size() -> None:
    recipes = [
        RECIPES / PLANS[model].recipe(name).name.partition("@")[0]
        for model in ("nano", SHIPPED)
        for name, variant in VARIANTS.items()
        if model in variant.models
    ]
    assert [path for path in recipes if not path.is_file()] == []


def test_a_variant_that_is_its_recipe_is_built_as_it_ships() -> None:
    assert PLANS["nano"].changes("int8 blocks of 128") == []
    assert PLANS["nano"].name("int8 blocks of 128") == "nano-cpu-int8"
    assert PLANS["nano"].recipe("int4 with int8, fitted").name == "nano-cpu.yaml@fitted"
    assert PLANS["nano"].name("int4 with int8, fitted") == "nano-cpu@fitted"


def test_a_variant_with_changes_is_published_under_a_name_of_its_own() -> None:
    words = ["--set", "quantization.granularity=128", "--name", "774m-int4-blocks-of-128"]
    assert PLANS[SHIPPED].changes("int4 blocks of 128") == words


def test_another_size_takes_the_shipped_one_s_recipe_with_its_own_checkpoint() -> None:
    plan = PLANS["355m"]
    assert plan.recipe("fp32").name == "774m-cpu-fp32.yaml"
    assert plan.changes("fp32") == ["--set", "source.checkpoint=checkpoints/355M", "--name", "355m-cpu-fp32"]
    assert plan.output("fp32") == Path("work/355m/build/355m-cpu-fp32")


def test_runs_fit_the_context() -> None:
    lengths = {model: {run.tokens for run in plan.possible()} for model, plan in PLANS.items()}
    assert lengths["nano"] == {16, 64, 256}
    assert lengths["124m"] == {16, 64, 256, 512, 1000}


@pytest.mark.parametrize("model", SHAPES)
def test_systems_of_a_model_begin_with_the_reference_and_end_with_ours(model: str) -> None:
    names = list(choose_systems(PLANS[model]))
    assert names[0] == "PyTorch fp32"
    ours = [f"ours, {name}" for name, variant in VARIANTS.items() if model in variant.models]
    assert names[-len(ours) :] == ours


def test_every_foreign_system_pins_its_environment() -> None:
    for system in SYSTEMS.values():
        pins = HERE / system.kind / "requirements.txt"
        assert pins.is_file() == system.is_foreign
        assert system.kind == OURS or system.read_sources()
    assert {"optimum", "ctranslate2", "openvino", "llama-cpp-python", "onnxscript"} <= set(read_pins())


def test_environments_of_one_name_hold_the_same_packages() -> None:
    for pins in HERE.glob("*/requirements.txt"):
        host = HOSTS / pins.parent.name / pins.name  # `.interop/` has one place for both
        assert not host.exists() or host.read_text() == pins.read_text()


def test_what_stands_apart_is_measured_in_a_whole_run_or_when_asked_for() -> None:
    assert choose_parts(set(SHAPES)) == list(PARTS)
    assert choose_parts({"nano", SHIPPED}) == [part for part in PARTS if part not in APART]
    assert choose_parts({"124m"}) == ["peers"]


def test_each_rewrite_is_left_out_of_a_shipped_recipe() -> None:
    plans = plan_rewrites(PLANS[SHIPPED])
    assert list(plans) == list(REWRITTEN)
    for name, plan in plans.items():
        systems = choose_systems(plan)
        assert list(systems) == [f"ours, {name}", *(f"ours, {name}, {what}" for what in WITHOUT)]
        shipped, *changed = (system.scheme for system in systems.values())
        assert plan.changes(shipped)[:2] == ["--set", "source.checkpoint=checkpoints/774M"]
        assert {plan.recipe(variant) for variant in (shipped, *changed)} == {PLANS[SHIPPED].recipe(name)}
        assert all(any("fusion." in word for word in plan.changes(variant)) for variant in changed)


def test_formats_alone_are_measured_of_every_size() -> None:
    assert choose_models(["formats"]) == list(SHAPES)
    assert choose_models(["formats", "idle"]) == choose_models(None) == USUAL
