"""`gpt2forge plan` on real recipes."""

import json
import re
from pathlib import Path

import pytest

from gpt2forge.cli.plan_command import format_range
from gpt2forge.stages.all_stages import STAGES
from tests.workshop import Workshop, copy_workshop, make_workshop


def test_plan_of_a_fresh_folder_runs_everything_and_writes_no_artifact(tmp_path: Path) -> None:
    pytest.importorskip("torch")  # without it some steps cannot run: tests/bare
    shop = make_workshop(tmp_path)
    lines = shop.run("plan", "nano-cpu-int8").stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["will", "run", stage.name] for stage in STAGES if stage.name not in ("calibrate", "configure")
    ]
    assert all(re.search(r" of memory +not built before$", line) for line in lines)
    assert not (shop.store / "artifacts").exists()


def test_plan_of_an_edited_recipe_names_the_value(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    words = ("--set", "quantization.embeddings=int4", "--skip", "verify,benchmark", "--json")
    steps = json.loads(workshop.run("plan", "nano-cpu-int8", *words).stdout)["steps"]
    assert {step["stage"]: step["reason"] for step in steps if step["verdict"] == "will run"} == {
        "quantize": "`quantization.embeddings` int8 -> int4"
    }
    assert {step["verdict"] for step in steps} == {"done", "will run"}


def test_plan_of_several_recipes_counts_a_shared_step_once(tmp_path: Path) -> None:
    shop = make_workshop(tmp_path)
    words = ("plan", "nano-cpu-int8", "nano-cpu-int4", "--skip", "verify,benchmark")
    done = shop.run(*words)
    shared = [line.split()[3] for line in done.stdout.splitlines() if line.endswith("  shared with `nano-cpu-int8`")]
    assert shared == ["convert", "export", "fuse"]
    assert done.stderr.startswith("5 steps will run: ")
    plans = [json.loads(line) for line in shop.run(*words, "--json").stdout.splitlines()]
    assert [plan["recipe"] for plan in plans] == ["nano-cpu-int8", "nano-cpu-int4"]
    assert [step["shared_with"] for step in plans[1]["steps"]] == [*["nano-cpu-int8"] * 3, None]


@pytest.mark.slow
def test_plan_foretells_what_a_step_leaves_on_the_disk(tmp_path: Path, built: Workshop) -> None:
    fresh = make_workshop(tmp_path / "fresh")
    steps = json.loads(fresh.run("plan", "nano-cpu-int8", "--json", "--skip", "verify,benchmark").stdout)["steps"]
    report = built.report("nano-cpu-int8")
    for guessed, made in zip(steps, report["steps"], strict=False):
        real = sum(path.stat().st_size for path in (built.store / "artifacts" / made["digest"]).iterdir())
        assert real / 2 < guessed["bytes"] < 2 * real or real < 1e5
    words = ("--set", "quantization.granularity=64", "--name", "x", "--json", "--skip", "verify,benchmark")
    (step,) = (each for each in json.loads(built.run("plan", "nano-cpu-int8", *words).stdout)["steps"] if each["bytes"])
    assert step["seconds"] == report["steps"][3]["seconds"]


@pytest.mark.slow
def test_what_one_of_several_recipes_makes_again_is_made_again_for_all(built: Workshop) -> None:
    shop = built
    shop.run("store", "gc", "--max-size", "0")
    words = ("nano-cpu-int8", "nano-cpu-int4", "--skip", "verify,benchmark")
    lines = shop.run("plan", *words).stdout.splitlines()
    assert [line[:8].strip() for line in lines] == ["will run"] * 3 + ["done"] + ["will run"] * 4
    assert not [line for line in lines if "nothing needs it" in line]
    built = [each for each in shop.run("build", *words[:2]).stderr.splitlines() if each.startswith("built")]
    assert len(built) == 4


def test_plan_with_nothing_to_make_says_so(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    done = workshop.run("plan", "nano-cpu-int8", "--skip", "verify,benchmark")
    assert done.stderr == "nothing to make: every step is done\n"


@pytest.mark.parametrize(
    ("will_run", "may_run", "text"),
    [
        ([1.0, 0.4], [], "~1.4 s"),
        ([1.0, 0.4], [47.6], "~1.4 s, up to 49.0 s"),
        ([], [47.6], "up to 47.6 s"),
        ([1.4, None], [47.6, None], "~1.4 s, up to 49.0 s without 2 that never ran"),
        ([None], [47.6], "up to 47.6 s without 1 that never ran"),
        ([None], [None], "time unknown"),
    ],
)
def test_time_is_a_range_where_steps_may_run(
    will_run: list[float | None], may_run: list[float | None], text: str
) -> None:
    assert format_range(will_run, may_run) == text


@pytest.mark.slow
def test_plan_of_a_new_recipe_names_the_nearest(measured_once: Workshop, tmp_path: Path) -> None:
    shop = copy_workshop(measured_once, tmp_path / "here")  # other tests leave other records in shared ones
    recipe = shop.folder / "never-built.yaml"
    recipe.write_text("name: never-built\nextends: recipes/nano-cpu-int8.yaml\nquantization: {granularity: 16}\n")
    done = shop.run("plan", str(recipe), "--set", "verify.tokens=2048", "--name", "other", "--skip", "benchmark")
    assert re.search(r"^will run +quantize .* new \(nearest: `nano-cpu-int8(-proven)?`\)$", done.stdout, re.MULTILINE)
    assert re.match(r"1 step will run, 1 may: ~[\d.]+ s, up to [\d.]+ s, [\d.]+ MB on the disk\n", done.stderr)
