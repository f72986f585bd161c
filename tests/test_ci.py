"""The workflows that GitHub runs. The users' workflow runs here as in its file, in clones of their own."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gpt2forge.recipe.yaml import parse
from tests.comment_server import BOT, NUMBER, PERSON, TOKEN, CommentServer, serve_comments
from tests.workflows import ACTIONS, REPOSITORY, WorkflowRun, list_steps, read_workflow
from tests.workshop import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
BUILD = ROOT / ".github/workflows/build.yml"
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
MAKING = ("convert", "export", "fuse", "quantize")
RIGHTS = {"build": {"actions": "read", "contents": "read"}, "comment": {"pull-requests": "write"}}
"""What each job may do beyond reading the repository."""


@dataclass(frozen=True)
class Clone:
    """A fresh copy of the repository, in which the workflow runs once."""

    folder: Path

    def start(self, event: str = "push", **variables: str) -> WorkflowRun:
        """Return a run of the workflow, which skips measuring steps to save time."""
        fixed = {"SKIP": "verify,benchmark", "PYTHONPATH": str(self.folder)}
        return WorkflowRun(folder=self.folder, path=BUILD, event=event, variables={**fixed, **variables})

    def play(self, restored: "Clone | None" = None, event: str = "push", **variables: str) -> list[str]:
        """Run the workflow; return the names of the steps that failed."""
        return self.start(event, **variables).play(restored.folder if restored else None)

    @property
    def outputs(self) -> str:
        return self.start().outputs

    @property
    def summary(self) -> str:
        return self.start().summary

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
    assert first.summary.splitlines()[1] == "### gpt2forge: 2 of 2 results change; quality was not measured"
    assert first.summary.endswith("* there is no earlier result to compare with\n")
    assert {path.name for path in (first.folder / "ship").iterdir()} == {"nano-cpu-int4", "nano-cpu-int8"}


@pytest.mark.slow
def test_second_run_elsewhere_makes_nothing_and_saves_nothing(first: Clone, tmp_path: Path) -> None:
    second = make_clone(tmp_path / "somewhere/else")
    assert second.play(restored=first) == []
    assert second.outcomes("nano-cpu-int8") == second.outcomes("nano-cpu-int4") == ALL_REUSED
    assert second.outputs == ""
    for recipe in ("nano-cpu-int8", "nano-cpu-int4"):
        made = second.folder / "build" / recipe
        assert made.resolve().is_relative_to(second.folder)
        assert (made / "model.onnx_data").read_bytes() == (
            first.folder / f"build/{recipe}/model.onnx_data"
        ).read_bytes()


@pytest.fixture
def comments() -> Iterator[CommentServer]:
    """Serve the comments of a pull request to the step that writes them, with programs that GitHub's machines have."""
    if not (shutil.which("curl") and shutil.which("jq")):
        pytest.skip("needs curl and jq")
    with serve_comments(REPOSITORY) as server:
        server.add("<!-- gpt2forge review --> is what I look for", PERSON)
        yield server


@pytest.mark.slow
def test_pull_request_reruns_only_what_it_changes_and_says_so_in_one_comment(
    first: Clone, tmp_path: Path, comments: CommentServer
) -> None:
    third = make_clone(tmp_path / "third")
    recipe = third.folder / "recipes/nano-cpu-int4.yaml"
    recipe.write_text(recipe.read_text().replace("granularity: 32", "granularity: 16"))
    github = {"GITHUB_API_URL": comments.url, "TOKEN": TOKEN, "NUMBER": NUMBER}
    run = third.start("pull_request", **github)
    assert run.play(first.folder) == []
    assert third.outcomes("nano-cpu-int8") == ALL_REUSED
    assert third.outcomes("nano-cpu-int4") == {**ALL_REUSED, "quantize": "built"}
    assert third.outputs == "anything=true\n"
    theirs, comment = comments.comments
    assert theirs["user"]["login"] == PERSON and comment["user"]["login"] == BOT
    assert comment["body"] == third.summary
    lines = comment["body"].splitlines()
    assert lines[1] == "### gpt2forge: 1 of 2 results changes; quality was not measured"
    assert [line.split(" | ")[0] for line in lines[5:7]] == ["| nano-cpu-int4, before", "| nano-cpu-int4"]
    assert lines[6].endswith("| granularity 16 |")
    assert "`quantize` built (`quantization.granularity` 32 -> 16); 3 steps reused" in lines[8]
    assert lines[9] == "* unchanged: `nano-cpu-int8`"
    (third.folder / "comment.md").write_text("<!-- gpt2forge review -->\n### later")
    (step,) = (step for step in list_steps(read_workflow(BUILD)) if step.get("name") == "Comment")
    assert run.run(step["run"]).returncode == 0
    assert [each["body"] for each in comments.comments] == [theirs["body"], "<!-- gpt2forge review -->\n### later"]


def test_comment_that_github_refuses_fails_its_step(tmp_path: Path, comments: CommentServer) -> None:
    (tmp_path / "comment.md").write_text("text")
    github = {"GITHUB_API_URL": comments.url, "TOKEN": "another", "NUMBER": NUMBER}
    (step,) = (step for step in list_steps(read_workflow(BUILD)) if step.get("name") == "Comment")
    done = WorkflowRun(folder=tmp_path, path=BUILD, variables=github).run(step["run"])
    assert done.returncode != 0 and "404" in done.stderr


def test_only_a_pull_request_of_the_repository_is_commented() -> None:
    job = read_workflow(BUILD)["jobs"]["comment"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]
    assert [step["uses"] for step in job["steps"] if "uses" in step] == ["actions/download-artifact@v7"]


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
    run = clone.start().run
    assert run(f"{lock} --skip verify,benchmark").returncode == 0
    assert run(locked).returncode == 0
    recipe = clone.folder / "recipes/nano-cpu-int4.yaml"
    recipe.write_text(recipe.read_text().replace("granularity: 32", "granularity: 16"))
    done = run(locked)
    assert done.returncode == 1
    assert "error: recipes/nano-cpu-int4.lock:4:1: `quantize` differs from the lock: " in done.stderr


def test_what_is_saved_is_what_is_restored() -> None:
    steps = [step for step in list_steps(read_workflow(BUILD)) if step.get("uses", "").startswith("actions/cache/")]
    restored, saved = ([step["with"] for step in steps if word in step["uses"]] for word in ("restore", "save"))
    assert [{name: each[name] for name in ("path", "key")} for each in restored] == saved
    assert all(each["key"].startswith(each["restore-keys"]) for each in restored)
    assert not restored[1]["key"].startswith(restored[0]["restore-keys"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_has_few_rights_ends_in_time_and_uses_known_actions(path: Path) -> None:
    workflow = read_workflow(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    assert all(job["timeout-minutes"] <= 90 for job in workflow["jobs"].values())
    rights = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert rights == (RIGHTS if path == BUILD else {})
    steps = list_steps(workflow)
    assert {step["uses"] for step in steps if "uses" in step} <= ACTIONS
    assert [
        step["run"] for step in steps if "${{" in step.get("run", "")
    ] == []  # or a branch's name could be run as code


def test_both_workflows_are_there() -> None:
    assert [path.name for path in WORKFLOWS] == ["build.yml", "ci.yml"]
    assert [step["run"] for step in list_steps(read_workflow(WORKFLOWS[1])) if step.get("name") == "Check"] == [
        ".ci/run"
    ]


def list_blocks() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_page_has_the_whole_file() -> None:
    assert list_blocks()[0] == BUILD.read_text(encoding="utf-8")


def test_gitlab_runs_what_github_runs() -> None:
    job = parse(list_blocks()[1], "page").plain()["build"]
    workflow = read_workflow(BUILD)
    assert job["variables"].items() <= workflow["env"].items()
    steps = list_steps(workflow)
    own_lines = "\n".join(step["run"] for step in steps if "run" in step)
    assert [line for line in job["script"] if line.startswith("gpt2forge") and line not in own_lines] == []
    assert job["cache"]["paths"] == next(
        step["with"]["path"].split() for step in steps if "cache" in step.get("uses", "")
    )
