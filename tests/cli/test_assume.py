"""An upgrade of a tool in `gpt2forge plan`, and the results that `--assume-equivalent` keeps."""

import json
from pathlib import Path

import pytest

from tests.workshop import Workshop, copy_workshop, make_workshop

pytestmark = pytest.mark.slow

RECIPE = "nano-cpu-fp32"


@pytest.fixture(scope="module")
def upgraded_once(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Make a folder where RECIPE was built with an onnx whose metadata says 1.0.0; to copy, not to change."""
    folder = tmp_path_factory.mktemp("upgraded")
    shop = make_workshop(folder / "here")
    metadata = folder / "older/onnx-1.0.0.dist-info/METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: onnx\nVersion: 1.0.0\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(metadata.parents[1]))
        shop.run("build", RECIPE)
    return shop


@pytest.fixture
def upgraded(tmp_path: Path, upgraded_once: Workshop) -> Workshop:
    return copy_workshop(upgraded_once, tmp_path / "here")


def test_plan_says_what_an_upgrade_makes_anew_and_how_to_keep_it(upgraded: Workshop) -> None:
    done = upgraded.run("plan", RECIPE, "--skip", "verify,benchmark")
    rows = {words[2]: words for line in done.stdout.splitlines() if (words := line.split())[:2] == ["will", "run"]}
    assert rows["export"][-4:-2] == ["onnx", "1.0.0"]
    assert done.stderr.splitlines()[-1] == (
        "`onnx`: only the version changed; `--assume-equivalent onnx` keeps what the earlier version made"
    )


def test_kept_steps_are_reused_and_the_package_says_so(upgraded: Workshop) -> None:
    before = json.loads((upgraded.folder / f"build/{RECIPE}.json").read_text())
    report = upgraded.report(RECIPE, "--assume-equivalent", "onnx")
    outcomes = {step["stage"]: step for step in report["steps"]}
    assert [outcomes[stage]["outcome"] for stage in ("convert", "export", "fuse")] == ["reused"] * 3
    assert outcomes["fuse"]["digest"] == before["steps"][2]["digest"]
    assert outcomes["fuse"]["reason"].startswith("kept: onnx 1.0.0 -> ")
    output = upgraded.folder / "build" / RECIPE
    story = json.loads((output / "forge.json").read_text())
    assert story["tools"]["onnx"] == story["assumed"]["onnx"][0] == "1.0.0"
    weights = upgraded.store / "artifacts" / before["steps"][3]["digest"] / "model.onnx_data"
    assert (output / "model.onnx_data").read_bytes() == weights.read_bytes()
    again = upgraded.report(RECIPE, "--assume-equivalent", "onnx")
    assert {step["outcome"] for step in again["steps"]} == {"reused", "skipped"}


def test_build_that_assumes_nothing_takes_nothing_that_was_kept(upgraded: Workshop) -> None:
    upgraded.run("build", RECIPE, "--assume-equivalent", "onnx")
    report = upgraded.report(RECIPE)
    assert [step["outcome"] for step in report["steps"]][:4] == ["reused", "built", "built", "built"]
    assert "assumed" not in json.loads((upgraded.folder / "build" / RECIPE / "forge.json").read_text())


def test_tool_that_makes_nothing_is_one_line(workshop: Workshop) -> None:
    done = workshop.run("build", RECIPE, "--assume-equivalent", "onxn", code=1)
    assert (
        done.stderr
        == "error: `--assume-equivalent onxn`: no part of the result is made with it; did you mean `onnx`?\n"
    )
