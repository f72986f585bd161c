"""The workflows that GitHub runs. The users' workflow runs here as in its file, in clones of their own.

What a step `run`s is run, by the same bash; what it `uses` is played: the store is saved and restored as a copy of the
paths that the step names, with other times and inodes, in another folder.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from gpt2forge.recipe.yaml import parse, read_document
from tests.workshop import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
BUILD = ROOT / ".github/workflows/build.yml"
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")  # the command that GitHub runs for `shell: bash`
RESTORE = "actions/cache/restore@v5"
ACTIONS = {
    RESTORE,
    "actions/checkout@v6",
    "actions/setup-python@v6",
    "actions/cache/save@v5",
    "actions/upload-artifact@v6",
}
INSTALL = "Install"  # the one step left out: it is done wherever these tests run
MAKING = ("convert", "export", "fuse", "quantize")


def read(path: Path) -> dict[str, Any]:
    workflow: dict[str, Any] = read_document(path).plain()
    return workflow


def list_steps(workflow: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@dataclass(frozen=True)
class Clone:
    """A fresh copy of the repository, in which the workflow runs once."""

    folder: Path

    @property
    def outputs(self) -> str:
        return (self.folder / "outputs").read_text()

    @property
    def summary(self) -> str:
        return (self.folder / "summary").read_text()

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of a step. Measuring steps are skipped to save time."""
        return {
            **os.environ,
            **read(BUILD)["env"],
            "SKIP": "verify,benchmark",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder),
            "GITHUB_OUTPUT": str(self.folder / "outputs"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
        }

    def run(self, command: str, **changes: str) -> subprocess.CompletedProcess[str]:
        environment, words = {**self.environment, **changes}, [*BASH, command]
        return subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def play(self, restored: "Clone | None" = None, **changes: str) -> list[str]:
        """Run the workflow; return the names of the steps that failed."""
        failed: list[str] = []
        (self.folder / "outputs").touch()
        for step in list_steps(read(BUILD)):
            if failed and not step.get("if", "").startswith("always()"):
                continue
            if restored and step.get("uses") == RESTORE:
                self.restore(step, restored.folder)
            if "run" in step and step["name"] != INSTALL:
                done = self.run(step["run"], **changes)
                print(done.stdout, done.stderr)
                failed += [step["name"]] if done.returncode else []
        return failed

    def restore(self, step: Mapping[str, Any], saved: Path) -> None:
        for path in step["with"]["path"].split():
            (self.folder / path).parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "-R", saved / path, self.folder / path], check=True)

    def outcomes(self, recipe: str) -> dict[str, str]:
        """Return the outcome of each making step, from the report."""
        report = json.loads((self.folder / f"build/{recipe}.json").read_text())
        return {step["stage"]: step["outcome"] for step in report["steps"] if step["stage"] in MAKING}


@cache
def compile_tree() -> TemporaryDirectory[str]:
    """Make a tree with byte code that is valid in every copy: it is checked by content, not by the source's time."""
    folder = TemporaryDirectory()
    for name in ("gpt2forge", "recipes", "examples"):
        junk = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, Path(folder.name) / name, ignore=junk, copy_function=shutil.copyfile)
    words = ("-m", "compileall", "-q", "--invalidation-mode", "checked-hash", f"{folder.name}/gpt2forge")
    subprocess.run([sys.executable, *words], check=True)
    return folder


def make_clone(folder: Path) -> Clone:
    shutil.copytree(compile_tree().name, folder, copy_function=shutil.copyfile)
    return Clone(folder)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = make_clone(tmp_path_factory.mktemp("first") / "clone")
    assert clone.play() == []
    return clone


ALL_REUSED = dict.fromkeys(MAKING, "reused")


@pytest.mark.slow
def test_first_run_builds_and_is_saved(first: Clone) -> None:
    assert first.outcomes("nano-cpu-int8") == dict.fromkeys(MAKING, "built")
    assert first.outcomes("nano-cpu-int4") == {**ALL_REUSED, "quantize": "built"}
    assert first.outputs == "anything=true\n"
    assert re.findall(r"^will run +(\w+)", first.summary, re.MULTILINE) == [*MAKING, *MAKING]
    assert first.summary.startswith("### nano-cpu-int8\n\n```\nwill run  convert ")


@pytest.mark.slow
def test_second_run_elsewhere_makes_nothing_and_saves_nothing(first: Clone, tmp_path: Path) -> None:
    second = make_clone(tmp_path / "somewhere/else")
    assert second.play(restored=first) == []
    assert second.outcomes("nano-cpu-int8") == second.outcomes("nano-cpu-int4") == ALL_REUSED
    assert second.outputs == ""
    assert re.findall(r"^done +(\w+)$", second.summary, re.MULTILINE) == [*MAKING, *MAKING]
    for recipe in ("nano-cpu-int8", "nano-cpu-int4"):
        made = second.folder / "build" / recipe
        assert made.resolve().is_relative_to(second.folder)
        assert (made / "model.onnx_data").read_bytes() == (
            first.folder / f"build/{recipe}/model.onnx_data"
        ).read_bytes()


@pytest.mark.slow
def test_changed_quantization_reruns_only_quantize(first: Clone, tmp_path: Path) -> None:
    third = make_clone(tmp_path / "third")
    recipe = third.folder / "recipes/nano-cpu-int4.yaml"
    recipe.write_text(recipe.read_text().replace("granularity: 32", "granularity: 16"))
    assert third.play(restored=first) == []
    assert third.outcomes("nano-cpu-int8") == ALL_REUSED
    assert third.outcomes("nano-cpu-int4") == {**ALL_REUSED, "quantize": "built"}
    assert "`quantization.granularity` 32 -> 16" in third.summary
    assert third.outputs == "anything=true\n"


@pytest.mark.slow
def test_what_a_run_finished_before_it_failed_is_kept(tmp_path: Path) -> None:
    failing = make_clone(tmp_path / "failing")
    shutil.copytree(failing.folder / "examples/nano", failing.folder / "checkpoints/rotten")
    weights = failing.folder / "checkpoints/rotten/model.ckpt.data-00000-of-00001"
    weights.write_bytes(bytes(100) + weights.read_bytes()[100:])
    text = (failing.folder / "recipes/nano-cpu-int8.yaml").read_text()
    rotten = text.replace("nano-cpu-int8", "rotten").replace("examples/nano", "checkpoints/rotten")
    (failing.folder / "recipes/rotten.yaml").write_text(rotten)
    assert failing.play(RECIPES="rotten nano-cpu-int8") == ["Build"]
    assert failing.outputs == "anything=true\n"
    next_one = make_clone(tmp_path / "next")
    assert next_one.play(restored=failing, RECIPES="nano-cpu-int8") == []
    assert next_one.outcomes("nano-cpu-int8") == ALL_REUSED


@pytest.mark.slow
def test_run_that_differs_from_the_lock_fails(tmp_path: Path) -> None:
    """Run the lines of the page."""
    (lock,) = re.findall(r"^    (gpt2forge build --write-lock .*)$", PAGE, re.MULTILINE)
    (locked,) = re.findall(r"`(gpt2forge build \$RECIPES --locked .*?)`", PAGE)
    clone = make_clone(tmp_path / "clone")
    assert clone.run(f"{lock} --skip verify,benchmark").returncode == 0
    assert clone.run(locked).returncode == 0
    recipe = clone.folder / "recipes/nano-cpu-int4.yaml"
    recipe.write_text(recipe.read_text().replace("granularity: 32", "granularity: 16"))
    done = clone.run(locked)
    assert done.returncode == 1
    assert "error: recipes/nano-cpu-int4.lock:4:1: `quantize` differs from the lock: " in done.stderr


def test_what_is_saved_is_what_is_restored() -> None:
    restore, save = (
        step["with"] for step in list_steps(read(BUILD)) if step.get("uses", "").startswith("actions/cache/")
    )
    assert {name: restore[name] for name in save} == save
    assert save["key"].startswith(restore["restore-keys"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_may_only_read_ends_in_time_and_uses_known_actions(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    assert all(job["timeout-minutes"] <= 90 and "permissions" not in job for job in workflow["jobs"].values())
    steps = list_steps(workflow)
    assert {step["uses"] for step in steps if "uses" in step} <= ACTIONS
    assert [
        step["run"] for step in steps if "${{" in step.get("run", "")
    ] == []  # or a branch's name could be run as code


def test_both_workflows_are_there() -> None:
    assert [path.name for path in WORKFLOWS] == ["build.yml", "ci.yml"]
    assert [step["run"] for step in list_steps(read(WORKFLOWS[1])) if step.get("name") == "Check"] == [".ci/run"]


def list_blocks() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_page_has_the_whole_file() -> None:
    assert list_blocks()[0] == BUILD.read_text(encoding="utf-8")


def test_gitlab_runs_what_github_runs() -> None:
    job = parse(list_blocks()[1], "page").plain()["build"]
    workflow = read(BUILD)
    assert job["variables"] == workflow["env"]
    steps = list_steps(workflow)
    own_lines = "\n".join(step["run"] for step in steps if "run" in step)
    assert [line for line in job["script"] if line.startswith("gpt2forge") and line not in own_lines] == []
    assert job["cache"]["paths"] == next(
        step["with"]["path"].split() for step in steps if "cache" in step.get("uses", "")
    )
