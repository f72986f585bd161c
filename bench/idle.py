"""The cost of a build that has nothing to do: ours, alone and through make, beside other build systems.

Each of those gets a pipeline of as many steps over the same files, `build_systems/`: a step copies what the step before
made. Ours has more to check, because these systems do not track their own code, installed tools or the machine.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.commands import ROOT, run_command, take_turns
from interop.environments import make_python

HERE = Path(__file__).resolve().parent
ROUNDS = 15
RECIPE = "nano-cpu-int8"
EDIT = "quantization.granularity=32"
SOURCES = (
    *("model.ckpt.data-00000-of-00001", "model.ckpt.index"),
    *("encoder.json", "vocab.bpe", "hparams.json", "heldout.txt"),
)
OTHERS = {
    "doit": ("dodo.py", ("run",)),
    "dvc": ("dvc.yaml", ("repro", "--quiet")),
    "snakemake": ("Snakefile", ("--cores", "2", "--quiet", "all")),
}
"""The file in `build_systems/` and the arguments of each other build system."""


@dataclass(frozen=True)
class Idle:
    """A command that has been run before, where it has nothing to do."""

    command: tuple[str, ...]
    folder: Path

    def run(self) -> float:
        """Return the milliseconds of the whole process."""
        return 1e3 * run_command(self.command, self.folder).seconds


def measure_idle(work: Path) -> dict[str, Any]:
    """Measure milliseconds of each system, in turns; the work is done once before."""
    systems = {**prepare_ours(work / "ours"), **prepare_others(work)}
    for system in systems.values():
        system.run()
        system.run()  # the first run leaves new files, which a careful system checks once more
    return take_turns({name: system.run for name, system in systems.items()}, ROUNDS)


def prepare_ours(folder: Path) -> dict[str, Idle]:
    """Make a working directory like a clone, with this environment; the shipped recipe, measuring steps included."""
    if not folder.exists():
        folder.mkdir(parents=True)
        for name in ("recipes", "examples"):
            shutil.copytree(ROOT / name, folder / name)
        for name in ("Makefile", "pyproject.toml", "requirements.txt"):
            (folder / name).symlink_to(ROOT / name)
        (folder / ".venv").symlink_to(sys.prefix)
    program = ".venv/bin/gpt2forge"
    return {
        "gpt2forge build": Idle((program, "build", RECIPE), folder),
        "gpt2forge plan, edited": Idle((program, "plan", RECIPE, "--set", EDIT, "--name", "edited"), folder),
        "make build": Idle(("make", "build", f"RECIPE={RECIPE}"), folder),
    }


def prepare_others(work: Path) -> dict[str, Idle]:
    """Make a folder for each of the others, with its pipeline and the files that our recipe reads."""
    programs = make_python("build_systems", HERE).parent
    for name, (pipeline, _) in OTHERS.items():
        folder = work / name
        if not folder.exists():
            folder.mkdir(parents=True)
            for source in SOURCES:
                shutil.copyfile(ROOT / "examples/nano" / source, folder / f"{source}.0")
            shutil.copyfile(HERE / "build_systems" / pipeline, folder / pipeline)
            if name == "dvc":
                run_command((str(programs / name), "init", "--no-scm", "--quiet"), folder)
    return {name: Idle((str(programs / name), *words), work / name) for name, (_, words) in OTHERS.items()}
