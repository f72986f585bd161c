"""Tests of recipes that were built with PyTorch, after it was removed."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.bare.conftest import PLAIN
from tests.workshop import ROOT, Workshop, copy_workshop

pytestmark = pytest.mark.slow

MINE = """\
name: mine
extends: nano-cpu-int8.yaml
verify:
  tokens: 2048
  max_perplexity_increase: 2%
  max_kl: null
benchmark: null
"""
NEEDS = "`reference` needs `torch` and `transformers`, which are not installed, so `verify` cannot run either"


@pytest.fixture(scope="module")
def left(bare: str, measured_once: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Make two recipes built with PyTorch, one of them verified; the commands now run without it."""
    shop = copy_workshop(measured_once, tmp_path_factory.mktemp("left") / "here")
    (shop.folder / "recipes").unlink()
    shutil.copytree(ROOT / "recipes", shop.folder / "recipes")
    for name, text in (("mine", MINE), ("plain", PLAIN)):
        (shop.folder / f"recipes/{name}.yaml").write_text(text)
    shop.run("build", "mine", "plain", measured=True)
    return replace(shop, python=bare)


@contextmanager
def rewritten(path: Path, text: str) -> Iterator[None]:
    before = path.read_text()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)


def test_saved_results_are_compared_and_marked_as_saved(left: Workshop) -> None:
    saved = json.loads((left.folder / "build/mine.json").read_text())
    done = left.run("compare", "mine", "plain", "--json")
    reports = json.loads(done.stdout)["reports"]
    assert saved["verify"]["perplexity"] > 1
    assert reports[0] == saved
    assert (reports[1]["recipe"], reports[1]["verify"]) == ("plain", None)
    assert done.stderr == f"mine: shown as saved in build/mine.json: {NEEDS}\n"


def test_saved_result_of_an_earlier_state_is_marked_as_out_of_date(left: Workshop) -> None:
    path = left.folder / "build/mine.json"
    report = json.loads(path.read_text())
    report["steps"][2]["key"] = "0" * 64
    with rewritten(path, json.dumps(report)):
        done = left.run("compare", "mine", "plain")
    assert done.stderr.splitlines()[1] == "warning: mine: out of date: `fuse` changed after build/mine.json was saved"


def test_saved_result_of_other_values_is_not_shown(left: Workshop) -> None:
    with rewritten(left.folder / "recipes/mine.yaml", MINE.replace("2048", "4096")):
        done = left.run("compare", "mine", "plain", code=1)
    assert done.stderr == (
        f"error: mine: {NEEDS}; run `pip install 'gpt2forge[torch]'` and compare again, or compare without measuring: "
        "`--skip verify`\n"
    )


def test_step_that_was_made_with_the_tool_is_not_done_and_why_shows_its_version(left: Workshop) -> None:
    steps = json.loads(left.run("plan", "mine", "--json").stdout)["steps"]
    assert [step["verdict"] for step in steps] == ["done"] * 4 + ["cannot run"] * 2
    head, *rows = left.run("why", "mine", "reference").stdout.splitlines()
    assert head.startswith(
        "cannot run  reference   needs `torch` and `transformers`, which are not installed; compared with the build of 20"
    )
    assert [row.split() for row in rows] == [
        ["tool", "torch", version("torch"), "->", "not", "installed"],
        ["tool", "transformers", version("transformers"), "->", "not", "installed"],
    ]
    (found,) = json.loads(left.run("why", "mine", "reference", "--json").stdout)["steps"]
    change = f"{version('torch')} -> not installed"
    assert found["differences"][0] == {"what": "tool torch", "change": change, "origin": ""}


def test_build_that_is_to_measure_fails_and_leaves_what_is_published(left: Workshop) -> None:
    output, report = left.folder / "build/mine", left.folder / "build/mine.json"
    target = output.readlink()
    with rewritten(report, report.read_text()):
        done = left.run("build", "mine", code=1, measured=True)
    assert done.stderr.splitlines()[-2:] == [
        "warning: build/mine: still points to an earlier build's result",
        f"error: mine: {NEEDS}; run `pip install 'gpt2forge[torch]'` and build again, or publish without measuring: "
        "`--skip verify`",
    ]
    assert output.readlink() == target
