"""`gpt2forge inspect` on checkpoints of both layouts and on results."""

import json
import re
from pathlib import Path

import pytest

from gpt2forge.cli.inspect_command import describe
from gpt2forge.errors import UserError
from gpt2forge.new_project.starting_recipe import name_model
from tests.workshop import Workshop


def test_tf1_checkpoint_is_described(workshop: Workshop) -> None:
    found = json.loads(workshop.run("inspect", "examples/nano", "--json").stdout)
    assert found["layout"] == "tf1"
    assert found["parameters"] == 1_350_400
    assert found["config"]["n_layer"] == 4
    lines = workshop.run("inspect", "examples/nano").stdout.splitlines()
    assert lines[0].split() == ["layout", "tf1"]
    rows = dict(line.split(maxsplit=1) for line in lines)
    assert (rows["step"], rows["config.ends"], rows["parameters"]) == ("-", "4095", "1,350,400")


def test_hugging_face_directory_is_described(workshop: Workshop) -> None:
    digest = workshop.report("nano-cpu-int8")["steps"][0]["digest"]
    found = json.loads(workshop.run("inspect", f"cache/artifacts/{digest}", "--json").stdout)
    assert found["layout"] == "huggingface"
    assert found["parameters"] == 1_350_400


def test_folder_that_is_no_checkpoint_is_one_line(workshop: Workshop) -> None:
    lines = workshop.run("inspect", "recipes", code=1).stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: no checkpoint at `recipes`")


def test_path_with_a_slip_is_told_the_one_that_is_meant(workshop: Workshop) -> None:
    done = workshop.run("inspect", "examples/nanno", code=1)
    assert done.stderr == "error: no checkpoint at `examples/nanno`; did you mean `examples/nano`?\n"


def test_result_is_told_by_kind_of_tensor(workshop: Workshop) -> None:
    words = ("overrides={h.0.*: {bits: 8}}", "skip=[h.3.mlp.*]")
    changes = [word for change in words for word in ("--set", f"quantization.{change}")]
    workshop.run("build", "nano-cpu-int4", "--name", "mixed", *changes)
    lines = workshop.run("inspect", "build/mixed").stdout.splitlines()
    assert [line.split() for line in lines[2:7]] == [
        ["wpe", "1", "float16", "-", "16.00", "0.02%", "65.5", "kB"],
        ["h.*.attn.c_attn", "1", "int8", "128", "8.25", "0.65%", "50.7", "kB"],
        ["h.*.attn.c_attn", "3", "int4", "32", "5.00", *lines[4].split()[5:9], "92.2", "kB"],
        ["h.*.attn.c_proj", "1", "int8", "128", "8.25", "0.69%", "16.9", "kB"],
        ["h.*.attn.c_proj", "3", "int4", "32", "5.00", *lines[6].split()[5:9], "30.7", "kB"],
    ]
    assert "h.*.mlp.c_fc      1         float32  -                32.00" in "\n".join(lines)
    found = json.loads(workshop.run("inspect", "build/mixed", "--json").stdout)["tensors"]
    assert len(found) == len(lines) - 1
    story = json.loads((workshop.folder / "build/mixed/forge.json").read_text())["tensors"]
    assert sum(kind["bytes"] for kind in found) == sum(tensor["bytes"] for tensor in story)
    assert sum(kind["count"] for kind in found) == len(story)


@pytest.mark.slow
def test_channels_are_told(workshop: Workshop) -> None:
    workshop.run("build", "nano-vnni-int8")
    lines = workshop.run("inspect", "build/nano-vnni-int8").stdout.splitlines()
    assert lines[3].split()[:4] == ["h.*.attn.c_attn", "4", "int8", "channel"]


def test_ignored_files_tokenizer_and_notes_are_told(workshop: Workshop) -> None:
    found = json.loads(workshop.run("inspect", "examples/nano", "--json").stdout)
    assert "model.ckpt.meta" in found["ignored"] and "README.md" in found["ignored"]
    assert found["tokenizer"] == {"kind": "byte-level BPE", "added": ["<|endoftext|>"], "chat_template": False}
    assert found["notes"] == []


def test_recipe_to_start_from_can_be_built(built: Workshop) -> None:
    recipe = built.run("inspect", "examples/nano", "--recipe").stdout
    (built.folder / "recipes").unlink()
    (built.folder / "recipes").mkdir()
    (built.folder / "recipes/nano-cpu-int8.yaml").write_text(recipe)
    assert "recipes/nano-cpu-int8.yaml" in recipe.splitlines()[0]
    built.run("build", "nano-cpu-int8")


@pytest.mark.parametrize(
    ("folder", "name"), [("my model (v2)", "my-model-v2"), ("..", None), ("-x-", "x"), ("ünïcode", "n-code")]
)
def test_name_of_the_recipe_is_allowed(tmp_path: Path, folder: str, name: str | None) -> None:
    found = name_model(tmp_path / folder)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", found) and (name is None or found == name)


def test_folder_below_a_checkpoint_names_the_one_above(workshop: Workshop) -> None:
    (workshop.folder / "own/sub").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (workshop.folder / "own" / name).write_text("{}")
    message = workshop.run("inspect", "own/sub", code=1).stderr
    assert message == "error: no checkpoint at `own/sub`, but the folder above holds one: name `own`\n"


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("openai-community/gpt2", "hf://openai-community/gpt2"),
        ("distilgpt2", "hf://distilbert/distilgpt2"),
        ("https://huggingface.co/a/b", "hf://a/b"),
        ("124M", "openai://124M"),
    ],
)
def test_name_of_a_repository_suggests_its_address(path: str, address: str) -> None:
    with pytest.raises(UserError, match=f"; to fetch it, a recipe names `{address}` in `source.checkpoint`$"):
        describe(Path(path))
