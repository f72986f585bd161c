"""`gpt2forge diff` and `gpt2forge recipe show`."""

import json
import re
from pathlib import Path

import pytest

from gpt2forge.cli import program
from gpt2forge.recipe.base_recipes import FOLDER
from gpt2forge.recipe.load import load_recipe
from tests.workshop import SHIPPED, Workshop, make_workshop

pytestmark = pytest.mark.slow


def test_keys_that_differ_stand_side_by_side_and_shared_steps_below(workshop: Workshop) -> None:
    lines = workshop.run("diff", "nano-cpu-int8", "nano-cpu-int4").stdout.splitlines()
    assert lines[0].split() == ["nano-cpu-int8", "nano-cpu-int4"]
    assert [line.split() for line in lines[1:3]] == [
        ["quantization.scheme", "int8", "int4"],
        ["quantization.granularity", "128", "32"],
    ]
    assert lines[-1] == "shared steps: convert, export, fuse, reference"


def test_what_is_shared_does_not_hang_on_what_is_built(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build("nano-cpu-int8")
    words = ("diff", "nano-cpu-int8", "nano-cpu-fp32", "--json")
    built, fresh = (json.loads(shop.run(*words).stdout) for shop in (workshop, make_workshop(tmp_path)))
    assert built == fresh
    assert built["keys"]["quantization.granularity"] == [128, None]


def test_other_checkpoint_shares_nothing_that_reads_it(workshop: Workshop) -> None:
    (workshop.folder / "copy").mkdir()
    for path in (workshop.folder / "examples/nano").iterdir():
        if path.is_file():
            (workshop.folder / "copy" / path.name).write_bytes(path.read_bytes())
    (workshop.folder / "copy/vocab.bpe").write_bytes((workshop.folder / "copy/vocab.bpe").read_bytes() + b"\n")
    (workshop.folder / "copied.yaml").write_text(
        "name: copied\nextends: recipes/nano-cpu-int8.yaml\nsource:\n  checkpoint: copy\n"
    )
    found = json.loads(workshop.run("diff", "nano-cpu-int8", "copied.yaml", "--json").stdout)
    assert found["keys"] == {"source.checkpoint": ["examples/nano", "copy"]}
    assert found["shared"] == []


@pytest.mark.parametrize("name", [name if name != "nano-cpu" else "nano-cpu@int4-32" for name in SHIPPED])
def test_shown_recipe_stands_by_itself_and_means_the_same(
    workshop: Workshop, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workshop.folder)
    for words in ((), ("--origin",)):
        assert program.run(["recipe", "show", name, *words]) == 0
        (tmp_path / f"{name}.yaml").write_text(capsys.readouterr().out)
        assert load_recipe(str(tmp_path / f"{name}.yaml")).recipe == load_recipe(name).recipe


def test_origin_is_the_line_that_sets_a_value(workshop: Workshop) -> None:
    words = ("recipe", "show", "nano-cpu-int8", "--set", "verify.max_kl=1e-3", "--name", "x")
    lines = [line.split("# ") for line in workshop.run(*words, "--origin").stdout.splitlines()]
    origins = {words[0].strip(): words[1] for words in lines if len(words) > 1}
    assert origins["scheme: int8"] == "recipes/nano-cpu-int8.yaml:9:3"
    assert origins["device: cpu"] == f"{FOLDER}/cpu.yaml:6:3"
    assert origins["text: examples/nano/heldout.txt"] == "recipes/base/cpu.yaml:7:3"
    assert origins["rounds: 5"] == "default"
    assert origins["max_kl: 0.001"] == "--set verify.max_kl=1e-3"
    found = json.loads(workshop.run(*words, "--json").stdout)
    assert found["origins"]["verify.max_kl"] == "--set verify.max_kl=1e-3"
    assert found["recipe"]["verify"]["max_kl"] == 0.001


def test_recipe_with_a_matrix_lists_its_variants_and_what_they_change(workshop: Workshop) -> None:
    lines = workshop.run("recipe", "show", "nano-cpu@int8-*").stdout.splitlines()
    limits = "verify.max_perplexity_increase=0.2% verify.max_kl=0.002"
    assert [line.split(maxsplit=1) for line in lines] == [
        ["nano-cpu@int8-32", f"quantization.scheme=int8 quantization.granularity=32 {limits}"],
        ["nano-cpu@int8-128", f"quantization.scheme=int8 quantization.granularity=128 {limits}"],
    ]
    lines = workshop.run("recipe", "show", "nano-cpu", "--origin").stdout.splitlines()
    assert [line.rpartition("# ")[2] for line in lines][:2] == [
        "recipes/nano-cpu.yaml:11:3",
        "recipes/nano-cpu.yaml:14:3",
    ]
    found = json.loads(workshop.run("recipe", "show", "nano-cpu", "--json").stdout)["recipes"]
    variants = ("fp32", "int8-32", "int8-128", "channel", "int4-32", "mixed", "fitted", "tuned")
    assert list(found) == [f"nano-cpu@{variant}" for variant in variants]
    assert found["nano-cpu@fp32"]["quantization"] == {"scheme": "none"}


def test_changes_of_a_variant_can_be_typed_as_they_are_shown(workshop: Workshop) -> None:
    (line,) = [line for line in workshop.run("recipe", "show", "nano-cpu").stdout.splitlines() if "@mixed" in line]
    text = line.split(maxsplit=1)[1]
    changes = re.findall(r"\S+=\{.*\}|\S+", text)
    assert "quantization.overrides={h.0.*: {bits: 8}, 'h.[1-3].attn.*': {bits: 8}}" in changes
    words = [word for change in changes for word in ("--set", change)]
    typed = workshop.run("recipe", "show", "nano-cpu@fp32", *words, "--name", "typed", "--json")
    wanted = workshop.run("recipe", "show", "nano-cpu@mixed", "--json")
    assert json.loads(typed.stdout)["recipe"] == {**json.loads(wanted.stdout)["recipe"], "name": "typed"}


def test_deletion_in_a_variant_is_shown_as_a_change(workshop: Workshop) -> None:
    (workshop.folder / "fewer.yaml").write_text(
        "name: fewer\nextends: recipes/nano-cpu-int8.yaml\nmatrix: {a: {}, b: {verify: null, fusion: {gelu: false}}}\n"
    )
    lines = workshop.run("recipe", "show", "fewer.yaml").stdout.splitlines()
    assert [line.split() for line in lines] == [["fewer@a"], ["fewer@b", "~verify", "fusion.gelu=false"]]


def test_origin_of_a_variants_value_is_in_the_matrix(workshop: Workshop) -> None:
    lines = workshop.run("recipe", "show", "nano-cpu@int8-32", "--origin").stdout.splitlines()
    origins = {line.partition("#")[0].strip(): line.rpartition("# ")[2] for line in lines}
    assert origins["granularity: 32"] == "recipes/nano-cpu.yaml:15:34"
    assert origins["name: nano-cpu@int8-32"] == "recipes/nano-cpu.yaml:14:3"
    assert origins["checkpoint: examples/nano"] == "recipes/nano-cpu.yaml:7:3"


def test_pattern_of_two_and_a_name_make_three(workshop: Workshop) -> None:
    found = json.loads(workshop.run("diff", "nano-cpu@int8-32", "nano-cpu@int8-128", "--json").stdout)
    assert found["recipes"] == ["nano-cpu@int8-32", "nano-cpu@int8-128"]
    assert found["keys"] == {"quantization.granularity": [32, 128]}
    done = workshop.run("diff", "nano-cpu@int8-*", "nano-cpu-int8", code=1)
    names = "`nano-cpu@int8-32`, `nano-cpu@int8-128`, `nano-cpu-int8`"
    assert done.stderr == f"error: `diff` needs two recipes, and 3 are named; there are {names}\n"
