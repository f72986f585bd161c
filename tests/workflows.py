"""Plays a workflow of GitHub Actions in a folder: what a step `run`s is run, by the same bash.

What a step `uses` is played: caches are restored as copies of the paths that the step names, with other times and
inodes, from the folder of an earlier run. An artifact of the same run is there already, because all jobs share a folder.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt2forge.recipe.yaml import read_document

BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")  # the command that GitHub runs for `shell: bash`
RESTORE = "actions/cache/restore@v5"
ACTIONS = {
    RESTORE,
    *("actions/checkout@v6", "actions/setup-python@v6", "actions/cache/save@v5"),
    *("actions/upload-artifact@v6", "actions/download-artifact@v7"),
}
INSTALL = "Install"  # the one step left out: it is done wherever these tests run
REPOSITORY = "owner/project"
TERM = re.compile(r"(\S+) (==|!=) (\S+)")


def read_workflow(path: Path) -> dict[str, Any]:
    workflow: dict[str, Any] = read_document(path).plain()
    return workflow


def list_steps(workflow: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@dataclass(frozen=True, kw_only=True)
class WorkflowRun:
    """One run of a workflow in a folder. `variables` are set instead of those in the file.

    `artifact` is the folder that another run has uploaded.
    """

    folder: Path
    path: Path
    event: str = "push"
    artifact: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)

    @property
    def outputs(self) -> str:
        return (self.folder / "outputs").read_text()

    @property
    def summary(self) -> str:
        return (self.folder / "summary").read_text()

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of a step; the programs of this interpreter come first."""
        return {
            **os.environ,
            **read_workflow(self.path)["env"],
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(self.folder / "outputs"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GITHUB_REPOSITORY": REPOSITORY,
            **self.variables,
        }

    def play(self, restored: Path | None = None) -> list[str]:
        """Run the workflow, with the caches of the run in `restored`; return the names of the steps that failed."""
        (self.folder / "outputs").touch()
        for step in self.list_wanted():
            if restored and step.get("uses") == RESTORE:
                copy_paths(step["with"]["path"].split(), restored, self.folder)
            if self.artifact and "run-id" in step.get("with", {}):
                shutil.copytree(self.artifact, self.folder / step["with"]["path"])
            if "run" in step and step["name"] != INSTALL:
                self.ran.append(step["name"])
                done = self.run(step["run"])
                print(done.stdout, done.stderr)
                self.failed.extend([step["name"]] if done.returncode else [])
        return self.failed

    def list_wanted(self) -> Iterator[dict[str, Any]]:
        """Yield the steps that run, each when those before it have run."""
        for job in read_workflow(self.path)["jobs"].values():
            if self.holds(job.get("if", "")):
                yield from (step for step in job["steps"] if self.is_wanted(step.get("if", "")))

    def is_wanted(self, condition: str) -> bool:
        """Return whether a step with this condition runs; after a failure only one with `always()` does."""
        return (not self.failed or condition.startswith("always()")) and self.holds(condition)

    def holds(self, condition: str) -> bool:
        """Evaluate the comparisons of a condition, which `&&` joins."""
        return all(self.compare(term) for term in TERM.finditer(condition.replace("${{", "").replace("}}", "")))

    def compare(self, term: re.Match[str]) -> bool:
        left, operator, right = term.groups()
        return (self.look_up(left) == self.look_up(right)) is (operator == "==")

    def look_up(self, word: str) -> str:
        """Return the value of a word in a condition."""
        if word.startswith("'"):
            return word.strip("'")
        if word.startswith("env."):
            return self.environment[word.removeprefix("env.")]
        values = {
            "github.event_name": self.event,
            "github.repository": REPOSITORY,
            "github.event.pull_request.head.repo.full_name": REPOSITORY if self.event == "pull_request" else "",
            "steps.made.outputs.anything": "true" if "anything=true\n" in self.outputs else "",
        }
        return values[word]

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a step."""
        words, environment = [*BASH, command], self.environment
        return subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)


def copy_paths(paths: list[str], saved: Path, folder: Path) -> None:
    """Restore a cache."""
    for path in paths:
        if (saved / path).exists():
            (folder / path).parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "-R", saved / path, folder / path], check=True)
