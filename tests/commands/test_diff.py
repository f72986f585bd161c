"""`gpt2forge diff` and `gpt2forge recipe show`."""

import json
from pathlib import Path

import pytest

from gpt2forge.recipe import load_recipe
from tests.workshop import SHIPPED, Workshop, make_workshop


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


@pytest.mark.parametrize("name", SHIPPED)
def test_shown_recipe_stands_by_itself_and_means_the_same(
    workshop: Workshop, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workshop.folder)
    for words in ((), ("--origin",)):
        (tmp_path / f"{name}.yaml").write_text(workshop.run("recipe", "show", name, *words).stdout)
        assert load_recipe(str(tmp_path / f"{name}.yaml")).recipe == load_recipe(name).recipe


def test_origin_is_the_line_that_sets_a_value(workshop: Workshop) -> None:
    words = ("recipe", "show", "nano-cpu-int8", "--set", "verify.max_kl=1e-3", "--name", "x")
    lines = [line.split("# ") for line in workshop.run(*words, "--origin").stdout.splitlines()]
    origins = {words[0].strip(): words[1] for words in lines if len(words) > 1}
    assert origins["scheme: int8"] == "recipes/nano-cpu-int8.yaml:9:3"
    assert origins["device: cpu"] == "recipes/base/cpu.yaml:6:3"
    assert origins["rounds: 5"] == "default"
    assert origins["max_kl: 0.001"] == "--set verify.max_kl=1e-3"
    found = json.loads(workshop.run(*words, "--json").stdout)
    assert found["origins"]["verify.max_kl"] == "--set verify.max_kl=1e-3"
    assert found["recipe"]["verify"]["max_kl"] == 0.001
