"""A build runs every step that it can, and reports at the end what to install for the others."""

import json
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from tests.bare.conftest import FirstBuild
from tests.workshop import ROOT, UNMEASURED, Workshop

pytestmark = pytest.mark.slow

MADE = ["convert", "export", "fuse", "quantize"]
NEED = "need `torch` and `transformers`, which are not installed"
INSTALL = "run `pip install 'gpt2forge[torch]'` and build again"
INT8 = f"`reference` and `benchmark` {NEED}, so `verify` cannot run either; {INSTALL}"
SKIP = "or publish without measuring: `--skip verify,benchmark`"
FITTED = f"`calibrate`, `reference` and `benchmark` {NEED}, so `quantize` and `verify` cannot run either; {INSTALL}"


def start(shop: Workshop, *words: str, code: int) -> subprocess.CompletedProcess[str]:
    return shop.run("build", *words, code=code, measured=True)


def list_errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.startswith("error: ")]


def read_report(shop: Workshop, name: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((shop.folder / f"build/{name}.json").read_text())
    return report


def list_outcomes(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["stage"], step["outcome"]) for step in report["steps"]]


def test_every_step_that_can_run_is_made_and_one_line_at_the_end_says_the_rest(
    built: FirstBuild,
) -> None:
    lines = [line.split() for line in built.messages]
    assert [words[:2] for words in lines[:4]] == [["built", stage] for stage in MADE]
    assert [" ".join(words) for words in lines[4:-1]] == [
        "skipped reference needs `torch` and `transformers`, which are not installed",
        "skipped verify needs `reference`, which cannot be made",
        "skipped benchmark needs `torch` and `transformers`, which are not installed",
    ]
    assert built.messages[-1] == f"error: nano-cpu-int8: {INT8}, {SKIP}"
    assert built.written == ""


def test_report_is_that_of_a_build_that_failed(shop: Workshop, built: FirstBuild) -> None:
    report = start(shop, "--json", "nano-cpu-int8", code=1).stdout.splitlines()
    events = [json.loads(line) for line in report]
    saved = read_report(shop, "nano-cpu-int8")
    assert events[-1] == {"event": "run_finished", "report": saved}
    assert (saved["output"], saved["error"]) == (None, f"nano-cpu-int8: {INT8}, {SKIP}")
    assert list_outcomes(saved) == [
        *((stage, "reused") for stage in MADE),
        *((stage, "skipped") for stage in ("reference", "verify", "benchmark")),
    ]
    assert [(step["key"], step["digest"]) for step in saved["steps"][4:]] == [(None, None)] * 3
    assert saved["steps"][5]["reason"] == "needs `reference`, which cannot be made"
    assert saved["bytes"]["package"] > 0
    assert (saved["verify"], saved["benchmark"]) == (None, None)
    assert [each["stage"] for each in events if each["event"] == "step_finished"] == [
        step["stage"] for step in saved["steps"]
    ]


def test_store_holds_what_was_made_and_nothing_of_the_rest(shop: Workshop, built: FirstBuild) -> None:
    assert built.records == built.logs == set(MADE)
    assert built.outputs == {"nano-cpu-int8.json"}
    assert not list((shop.store / "making").glob("*"))


def test_several_recipes_have_one_message(shop: Workshop, built: FirstBuild) -> None:
    done = start(shop, "nano-cpu-int8", "plain", "nano-cpu-int4-gptq", "nano-cpu-int4", code=1)
    assert list_errors(done) == [
        f"nano-cpu-int8, nano-cpu-int4: {INT8}, {SKIP}",
        f"nano-cpu-int4-gptq: {FITTED}",
    ]
    assert done.stderr.splitlines()[-2:] == [f"error: {line}" for line in list_errors(done)]
    _, *rows = (line.split() for line in done.stdout.splitlines())
    assert [row[:3] for row in rows if row[0] == "plain"] == [["plain", "not", "measured"]]
    assert [row[:3] for row in rows if row[0] == "nano-cpu-int4"] == [["nano-cpu-int4", "not", "built"]]
    assert ("quantize", "built") in list_outcomes(read_report(shop, "nano-cpu-int4"))
    assert read_report(shop, "nano-cpu-int4")["error"] == f"nano-cpu-int4: {INT8}, {SKIP}"


def test_skip_as_in_the_message_publishes_and_makes_nothing_again(shop: Workshop, built: FirstBuild) -> None:
    done = start(shop, "nano-cpu-int8", *UNMEASURED, code=0)
    assert done.stdout.splitlines()[0] == "build/nano-cpu-int8"
    report = read_report(shop, "nano-cpu-int8")
    assert [outcome for _, outcome in list_outcomes(report)] == ["reused"] * 4 + ["skipped"] * 3
    assert report["error"] is None
    # The next build with measurements reports them as blocked, and leaves the published package.
    target = (shop.folder / "build/nano-cpu-int8").readlink()
    done = start(shop, "nano-cpu-int8", code=1)
    assert "warning: build/nano-cpu-int8: still points to an earlier build's result" in done.stderr.splitlines()
    assert (shop.folder / "build/nano-cpu-int8").readlink() == target


def test_fitted_recipe_cannot_be_published_by_skipping(shop: Workshop, built: FirstBuild) -> None:
    done = start(shop, "nano-cpu-int4-gptq", *UNMEASURED, code=1)
    assert list_errors(done) == [
        "nano-cpu-int4-gptq: `calibrate` needs `torch` and `transformers`, which are not installed, so `quantize` "
        f"cannot run either; {INSTALL}"
    ]
    assert list_outcomes(read_report(shop, "nano-cpu-int4-gptq"))[:5] == [
        *(("convert", "reused"), ("export", "reused"), ("fuse", "reused")),
        *(("calibrate", "skipped"), ("quantize", "skipped")),
    ]


def test_build_until_a_step_that_can_run_ends_well(shop: Workshop, built: FirstBuild) -> None:
    done = start(shop, "nano-cpu-int8", "--until", "quantize", code=0)
    assert done.stderr.splitlines()[-1] == "`--until quantize`: nothing was published"
    done = start(shop, "nano-cpu-int8", "--until", "verify", code=1)
    assert list_errors(done) == [
        "nano-cpu-int8: `reference` needs `torch` and `transformers`, which are not installed, so `verify` "
        f"cannot run either; {INSTALL}"
    ]


def test_lock_of_a_step_that_cannot_run_is_not_broken(shop: Workshop, built: FirstBuild) -> None:
    start(shop, "nano-cpu-int8", "--write-lock", *UNMEASURED, code=0)
    assert list_errors(start(shop, "nano-cpu-int8", "--locked", code=1)) == [f"nano-cpu-int8: {INT8}, {SKIP}"]
    lines = (shop.folder / "recipes/nano-cpu-int8.lock").read_text().splitlines()
    locked = [f"calibrate {'0' * 64} {'1' * 64}", *lines[:3], f"quantize {'2' * 64} {'3' * 64}"]
    (shop.folder / "recipes/nano-cpu-int4-gptq.lock").write_text("\n".join(locked) + "\n")
    assert list_errors(start(shop, "nano-cpu-int4-gptq", "--locked", code=1)) == [f"nano-cpu-int4-gptq: {FITTED}"]


def test_other_failures_are_reported_first(shop: Workshop, built: FirstBuild) -> None:
    (shop.folder / "lost.yaml").write_text("name: lost\nsource:\n  checkpoint: lost\ntarget:\n  device: cpu\n")
    done = start(shop, "nano-cpu-int8", "lost.yaml", "--keep-going", code=1)
    first, second, last = list_errors(done)
    assert first.startswith("lost.yaml:3:3: no checkpoint at `lost`")
    assert second == f"nano-cpu-int8: {INT8}, {SKIP}"
    assert last == "2 of 2 recipes failed: `lost`, `nano-cpu-int8` (see above)"


def test_result_that_nothing_measures_is_built_and_current_afterwards(shop: Workshop, built: FirstBuild) -> None:
    for _ in range(2):
        done = start(shop, "plain", code=0)
    assert done.stderr == "current plain: nothing changed since it was built\n"


def test_check_compares_what_can_be_built(shop: Workshop) -> None:
    done = shop.run("check", "nano-cpu-int4-gptq", "--json", code=1)
    found = json.loads(done.stdout)
    assert [step["stage"] for step in found["steps"]] == ["convert", "export", "fuse"]
    assert found["different"] == []
    assert list_errors(done) == [
        "nano-cpu-int4-gptq: `calibrate` needs `torch` and `transformers`, which are not installed, so `quantize` "
        f"cannot run either; {INSTALL}"
    ]


def test_python_raises_the_same_and_loads_what_is_published(shop: Workshop, built: FirstBuild) -> None:
    start(shop, "plain", code=0)
    program = (
        "import gpt2forge, sys\n"
        "try:\n"
        "    gpt2forge.build('nano-cpu-int8')\n"
        "except gpt2forge.UserError as error:\n"
        "    print(error)\n"
        "print(gpt2forge.build('nano-cpu-int8', skip=['verify', 'benchmark']).output)\n"
        "print(gpt2forge.load('plain').generate('def', 3, ignore_end=True).count > 0)\n"
    )
    done = subprocess.run([shop.python, "-c", program], cwd=shop.folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"nano-cpu-int8: {INT8}, {SKIP}", "build/nano-cpu-int8", "True"]


def test_environment_has_no_pytorch_and_imports_this_working_tree(bare: str) -> None:
    program = (
        "import importlib.util as util, gpt2forge\n"
        "print(gpt2forge.__file__, [util.find_spec(name) for name in ('torch', 'transformers', 'safetensors')])"
    )
    done = subprocess.run([bare, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{ROOT}/gpt2forge/__init__.py [None, None, None]\n"


def test_build_goes_on_where_pytorch_is_installed(shop: Workshop, built: FirstBuild) -> None:
    """Reuse every artifact: the keys do not depend on PyTorch."""
    keys = [step["key"] for step in read_report(shop, "nano-cpu-int8")["steps"][:4]]
    steps = json.loads(replace(shop, python=Workshop.python).run("plan", "nano-cpu-int8", "--json").stdout)["steps"]
    assert [step["key"] for step in steps[:4]] == keys
    assert [step["verdict"] for step in steps[:4]] == ["done"] * 4
    assert "cannot run" not in {step["verdict"] for step in steps}
