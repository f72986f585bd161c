"""What a build costs that has nothing to do: ours, alone and through make, beside other build systems.

Each of those gets a pipeline of as many steps over the same files: a step copies what the one before made. That is less
than ours has to look at, for these know nothing of their own code, of installed tools or of the machine.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.plan import RECIPES
from gpt2forge.measure.spread import summarize
from interop.environments import make_python

HERE = Path(__file__).resolve().parent
STEPS = 7  # of a recipe that measures
RECIPE = "nano-cpu-int8"
EDIT = "quantization.granularity=32"
SOURCES = (
    "model.ckpt.data-00000-of-00001",
    "model.ckpt.index",
    "encoder.json",
    "vocab.bpe",
    "hparams.json",
    "heldout.txt",
)

DODO = """\
def task_step():
    for number in range(1, {steps} + 1):
        before = [f"{{name}}.{{number - 1}}" for name in {sources}]
        after = [f"{{name}}.{{number}}" for name in {sources}]
        actions = [f"cp {{one}} {{other}}" for one, other in zip(before, after)]
        yield {{"name": str(number), "file_dep": before, "targets": after, "actions": actions}}
"""
SNAKEFILE = """\
rule all:
    input: expand("{{name}}.{steps}", name={sources})
"""
RULE = """
rule step{number}:
    input: {before}
    output: {after}
    shell: "{copy}"
"""


@dataclass(frozen=True)
class Idle:
    """A command that has been run before, where it has nothing to do."""

    command: tuple[str, ...]
    folder: Path

    def run(self) -> float:
        """Milliseconds of the whole process; raises RuntimeError with what it said when it fails."""
        environment = {**os.environ, "PYTHONPATH": str(RECIPES.parent), "DVC_NO_ANALYTICS": "1"}
        began = time.perf_counter()
        done = subprocess.run(
            self.command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        milliseconds = 1e3 * (time.perf_counter() - began)
        if done.returncode:
            raise RuntimeError(f"{' '.join(self.command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return milliseconds


def measure_idle(work: Path, rounds: int) -> dict[str, Any]:
    """Milliseconds of each system, in turns; work is done once before."""
    systems = {**prepare_ours(work / "ours"), **prepare_others(work)}
    for system in systems.values():
        system.run()
        system.run()  # the first leaves files that changed a moment ago, which a careful system looks at again
    samples: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(rounds):
        for name, system in systems.items():
            samples[name].append(system.run())
    return {name: summarize(values).to_json() for name, values in samples.items()}


def prepare_ours(folder: Path) -> Mapping[str, Idle]:
    """A working directory as a clone is, with this environment; the shipped recipe, measuring steps included."""
    if not folder.exists():
        folder.mkdir(parents=True)
        shutil.copytree(RECIPES, folder / "recipes")
        shutil.copytree(RECIPES.parent / "examples", folder / "examples")
        for name in ("Makefile", "pyproject.toml", "requirements.txt"):
            (folder / name).symlink_to(RECIPES.parent / name)
        (folder / ".venv").symlink_to(sys.prefix)
    return {
        "gpt2forge build": Idle((".venv/bin/gpt2forge", "build", RECIPE), folder),
        "gpt2forge plan, edited": Idle(
            (".venv/bin/gpt2forge", "plan", RECIPE, "--set", EDIT, "--name", "edited"), folder
        ),
        "make build": Idle(("make", "build", f"RECIPE={RECIPE}"), folder),
    }


def prepare_others(work: Path) -> Mapping[str, Idle]:
    """A folder for each of the others, with the files that our recipe reads."""
    programs = make_python("build_systems", HERE).parent
    writers = {"doit": write_doit, "dvc": write_dvc, "snakemake": write_snakemake}
    commands = {
        "doit": ("run",),
        "dvc": ("repro", "--quiet"),
        "snakemake": ("--cores", "2", "--quiet", "all"),
    }
    for name, write in writers.items():
        folder = work / name
        if not folder.exists():
            folder.mkdir(parents=True)
            for source in SOURCES:
                shutil.copyfile(RECIPES.parent / "examples/nano" / source, folder / f"{source}.0")
            write(folder, programs)
    return {name: Idle((str(programs / name), *words), work / name) for name, words in commands.items()}


def write_doit(folder: Path, programs: Path) -> None:
    (folder / "dodo.py").write_text(DODO.format(steps=STEPS, sources=SOURCES))


def write_snakemake(folder: Path, programs: Path) -> None:
    text = SNAKEFILE.format(steps=STEPS, sources=list(SOURCES))
    for number in range(1, STEPS + 1):
        before, after = ([f"{name}.{place}" for name in SOURCES] for place in (number - 1, number))
        copy = " && ".join(f"cp {one} {other}" for one, other in zip(before, after, strict=True))
        names = (", ".join(f'"{name}"' for name in names) for names in (before, after))
        text += RULE.format(number=number, before=next(names), after=next(names), copy=copy)
    (folder / "Snakefile").write_text(text)


def write_dvc(folder: Path, programs: Path) -> None:
    """dvc wants stages in YAML, and a folder that it has set up."""
    lines = ["stages:"]
    for number in range(1, STEPS + 1):
        before, after = ([f"{name}.{place}" for name in SOURCES] for place in (number - 1, number))
        copy = " && ".join(f"cp {one} {other}" for one, other in zip(before, after, strict=True))
        lines += [f"  step{number}:", f"    cmd: {copy}", "    deps:", *(f"    - {name}" for name in before)]
        lines += ["    outs:", *(f"    - {name}" for name in after)]
    (folder / "dvc.yaml").write_text("\n".join(lines) + "\n")
    subprocess.run([programs / "dvc", "init", "--no-scm", "--quiet"], cwd=folder, check=True)
