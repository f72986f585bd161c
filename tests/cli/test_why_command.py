"""`gpt2forge why` on real steps."""

import json
import shutil
from pathlib import Path

import pytest

from gpt2forge.plan.difference import Difference
from gpt2forge.plan.nearest import Nearest
from gpt2forge.plan.reason import explain
from gpt2forge.stages import convert
from gpt2forge.store.records import Record
from gpt2forge.store.stat_cache import StatCache
from tests.workshop import ROOT, UNMEASURED, Workshop, make_workshop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Return a workshop of its own, with a checkpoint that can be changed."""
    made = make_workshop(tmp_path_factory.mktemp("why"))
    shutil.copytree(ROOT / "examples/nano", made.folder / "mine")
    (made.folder / "mine-int8.yaml").write_text(
        "name: mine-int8\nsource:\n  checkpoint: mine\ntarget:\n  device: cpu\nquantization:\n  scheme: int8\n"
    )
    made.run("build", "mine-int8.yaml")
    return made


def ask(shop: Workshop, *words: str) -> list[str]:
    return shop.run("why", *words).stdout.splitlines()


def test_edited_value_is_named_with_its_old_value_and_its_place(shop: Workshop) -> None:
    edited = shop.folder / "edited/mine-int8.yaml"
    edited.parent.mkdir()
    edited.write_text(
        (shop.folder / "mine-int8.yaml").read_text().replace("int8\n", "int4\n").replace("mine-int4", "mine-int8")
    )
    lines = ask(shop, str(edited), "quantize")
    assert lines[0].startswith("will run  quantize    compared with the build of 20")
    assert [line.split(maxsplit=4) for line in lines[1:]] == [
        ["quantization.granularity", "128", "->", "32", "the default"],
        ["quantization.scheme", "int8", "->", "int4", f"{edited}:7:3"],
    ]


def test_value_of_the_command_line_and_of_the_default_say_so(shop: Workshop) -> None:
    words = ("--set", "quantization.granularity=32", "--set", "target.cpu=vnni", "--name", "other")
    lines = ask(shop, "mine-int8.yaml", "quantize", *words)
    assert [line.split(maxsplit=4) for line in lines[1:]] == [
        ["quantization.granularity", "128", "->", "32", "--set quantization.granularity=32"],
        ["target.cpu", "any", "->", "vnni", "--set target.cpu=vnni"],
    ]
    shop.run("build", "mine-int8.yaml", *words)
    lines = ask(shop, "mine-int8.yaml", "quantize", "--set", "quantization.embeddings=none", "--name", "other")
    assert lines[1].split() == [
        "quantization.embeddings",
        "int8",
        "->",
        "none",
        "--set",
        "quantization.embeddings=none",
    ]


def test_steps_that_were_made_once_have_nothing_before_them(shop: Workshop) -> None:
    assert ask(shop, "mine-int8.yaml", "convert") == ["done      convert     built once; there is no earlier build"]


def test_changed_file_of_the_checkpoint_is_named(shop: Workshop) -> None:
    path = shop.folder / "mine/vocab.bpe"
    text = path.read_text()
    path.write_text(text + "\n")
    try:
        lines = ask(shop, "mine-int8.yaml", "convert")
        assert lines[0].startswith("will run  convert     compared with the build of 20")
        assert [line.split() for line in lines[1:]] == [["input", "checkpoint", "changed"], ["vocab.bpe"]]
        planned = shop.run("plan", "mine-int8.yaml").stdout.splitlines()[0]
        assert planned.endswith("checkpoint changed: `vocab.bpe`")
        assert planned.split()[3].startswith("~")  # seconds of the earlier run
    finally:
        path.write_text(text)


def test_json_has_the_same(shop: Workshop) -> None:
    words = ("mine-int8.yaml", "quantize", "--set", "quantization.granularity=64", "--name", "other", "--json")
    (step,) = json.loads(shop.run("why", *words).stdout)["steps"]
    assert step["verdict"] == "will run"
    assert step["seconds"] > 0
    assert step["differences"][-1] == {
        "what": "quantization.granularity",
        "change": "128 -> 64",
        "origin": "--set quantization.granularity=64",
    }


def test_override_is_told_with_its_place(shop: Workshop) -> None:
    recipe = shop.folder / "mixed-int8.yaml"
    text = (shop.folder / "mine-int8.yaml").read_text().replace("mine-int8", "mixed-int8")
    recipe.write_text(text + "  overrides:\n    h.0.*: {bits: 4}\n    h.1.*: {bits: 4}\n")
    shop.run("build", str(recipe))
    recipe.write_text(text + "  overrides:\n    h.1.*: {bits: 4}\n    h.0.*: {bits: 4, granularity: 16}\n")
    line = text.count("\n") + 3
    lines = ask(shop, str(recipe), "quantize")
    assert [each.split() for each in lines[1:]] == [
        ["quantization.overrides.h.0.*.granularity", "32", "->", "16", f"{recipe}:{line}:22"]
    ]


def test_unknown_step_is_one_line(shop: Workshop) -> None:
    done = shop.run("why", "mine-int8.yaml", "verify", code=1)
    steps = "`convert`, `export`, `fuse`, `quantize`"
    assert done.stderr == f"error: `verify`: this recipe has no such step; there are {steps}\n"


def test_modules_of_ours_are_named_and_the_rest_is_counted(tmp_path: Path) -> None:
    record = Record(
        key="key",
        stage="convert",
        pre_image={},
        digest="digest",
        metrics={},
        seconds=1.0,
        peak_memory_bytes=1,
        created=1.0,
    )
    names = ["gpt2forge.a", "gpt2forge.b", "gpt2forge.c", "gpt2forge.d"]
    found = [Difference(("code", name), "old", "new") for name in names]
    said = explain(convert.STAGE, Nearest(record, tuple(found)), StatCache(tmp_path))
    assert said == "gpt2forge's own code changed: `gpt2forge.a`, `gpt2forge.b`, `gpt2forge.c` and 1 more"


def test_step_whose_input_is_not_made_yet_waits_for_it(shop: Workshop) -> None:
    words = ("nano-cpu-int8", *UNMEASURED, "--set", "fusion.gelu=false", "--name", "other")
    lines = ask(shop, *words)
    assert lines[-1].startswith("may run   quantize    if `graph` changes")
