"""Workshops: working directories in which the real command runs on the real example."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.prepared import Prepared

ROOT = Path(__file__).parents[1]

UNMEASURED = ("--skip", "verify,benchmark")
UNTIMED = ("--skip", "benchmark")
LITTLE = tuple(
    word
    for change in (
        "verify.tokens=2048",
        "verify.max_perplexity_increase=2%",
        "benchmark.prompt_tokens=16",
        "benchmark.new_tokens=4",
        "benchmark.rounds=3",
    )
    for word in ("--set", change)
)

# Not every file in recipes/: a developer's own recipes may be there too.
SHIPPED = (
    *("nano-cpu", "nano-cpu-fp32", "nano-cpu-int8", "nano-cpu-int4", "nano-vnni-int8"),
    *("124m-cpu-int8", "355m-cpu-int8", "774m-cpu-int8", "1558m-cpu-int8"),
    *("774m-vnni-int8", "774m-cpu-fp32", "774m-cpu-int4"),
    *("nano-cpu-int4-gptq", "774m-cpu-int4-gptq", "nano-cpu-small", "774m-cpu-small"),
    *("nano-cpu-best", "774m-cpu-best", "nano-cpu-fast", "774m-cpu-fast"),
    *("nano-vnni-fast", "774m-vnni-fast"),
    *("nano-cuda-float16", "774m-cuda-float16"),
)


@cache
def prepare(python: str) -> Prepared:
    """Return this process's prepared process of an interpreter, which is started once."""
    return Prepared(python)


@dataclass(frozen=True)
class Workshop:
    """A folder that has the repository's recipes and examples, and a store of its own; `python` runs the command."""

    folder: Path
    python: str = sys.executable

    @property
    def store(self) -> Path:
        return self.folder / "cache"

    def run(
        self, *words: str, code: int = 0, stdin: str = "", measured: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run `gpt2forge` with these words; any other exit code than `code` fails the test."""
        done = self.start(*words, stdin=stdin, measured=measured)
        assert done.returncode == code, f"{words}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *words: str, stdin: str = "", measured: bool = False) -> subprocess.CompletedProcess[str]:
        """Run `gpt2forge` with these words, with any exit code.

        A build skips the measuring steps, which take long, unless `measured`.
        """
        skip = UNMEASURED if words[:1] == ("build",) and not measured else ()
        # A running process does not see changes of Python's own variables.
        if "PYTHONPATH" not in os.environ:
            return prepare(self.python).run((*words, *skip), self.folder, stdin)
        command = [self.python, "-m", "gpt2forge", *words, *skip]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, input=stdin, check=False)

    def report(self, *words: str, code: int = 0, measured: bool = False) -> dict[str, Any]:
        """Run `gpt2forge build --json` with these words; return the report in its last line."""
        done = self.run("build", "--json", *words, code=code, measured=measured)
        last = json.loads(done.stdout.splitlines()[-1])
        assert last["event"] == "run_finished"
        report: dict[str, Any] = last["report"]
        return report

    def prove(self, recipe: str, *words: str, code: int = 0) -> dict[str, Any]:
        """Build with measurements, on less text and in fewer rounds than in the recipe; return the report."""
        return self.report(recipe, "--name", f"{recipe}-proven", *LITTLE, *words, code=code, measured=True)

    def build(self, recipe: str) -> Path:
        """Return the published directory of a recipe, which is built if necessary."""
        output = self.folder / "build" / recipe
        if not (output / "model.onnx").is_file():
            self.run("build", recipe)
        return output


FITTED = ("nano-cpu-int4-gptq", "--set", "calibration.tokens=4096")
"""A recipe whose weights are fitted, with as little text as that needs."""

PROVEN = ("nano-cpu-int8", "nano-cpu-fp32")
"""The recipes that the shared workshop has measured on little text."""


def copy_workshop(shop: Workshop, folder: Path) -> Workshop:
    """Copy a workshop with everything that it has built; links stay links, read-only files stay read-only."""
    shutil.copytree(shop.folder, folder, symlinks=True)
    return Workshop(folder)


def own_checkpoint(shop: Workshop) -> None:
    """Give a workshop its own copy of nano's checkpoint, which can be changed."""
    (shop.folder / "examples").unlink()
    shutil.copytree(ROOT / "examples/nano", shop.folder / "examples/nano")


def shorten_recipes(shop: Workshop) -> None:
    """Give a workshop recipes of its own, whose builds measure no more than `prove` does: commands run as typed."""
    (shop.folder / "recipes").unlink()
    shutil.copytree(ROOT / "recipes", shop.folder / "recipes")
    for path in shop.folder.glob("recipes/nano-*.yaml"):
        text = path.read_text(encoding="utf-8").replace("tokens: 32768", "tokens: 2048")
        path.write_text(re.sub(r"max_perplexity_increase: \S+", "max_perplexity_increase: 2%", text), encoding="utf-8")
    base = shop.folder / "recipes/base/cpu.yaml"
    text = base.read_text(encoding="utf-8").partition("benchmark:")[0]
    base.write_text(f"{text}benchmark: {{prompt_tokens: 16, new_tokens: 4, rounds: 3}}\n", encoding="utf-8")


def make_workshop(folder: Path) -> Workshop:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("recipes", "examples"):
        (folder / name).symlink_to(ROOT / name)
    return Workshop(folder)
