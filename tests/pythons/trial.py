"""Runs the fast tests with one interpreter, in an environment that holds exactly what the trial asks for."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from interop.environments import EnvironmentFault, make_once, run
from tests.pythons.interpreters import Interpreter
from tests.pythons.project import ROOT, list_requirements, take_lowest
from tools.install import install_torch, make_environment, read_torch
from tools.packages import PipFault

LOWEST = "lowest"
PINS = ROOT / "requirements.txt"
BUILDER = "editables"  # hatchling needs it for an editable installation
FAST = ("-m", "pytest", "-n", "2", "-m", "not slow", "-p", "no:cacheprovider")
WITHOUT_TORCH = ("--without-torch",)
WITHOUT_PINS = ("--deselect", "tests/test_setup.py::test_pins_cover_the_whole_closure")
"""The test left out: it reads the needs of the installed packages, but the pins are for other versions."""
SUMMARY = re.compile(r"^=* ?(\d+ \w+.* in [\d.]+s.*?) ?=*$", re.MULTILINE)
FAULT = re.compile(r"^(?:FAILED|ERROR) .*", re.MULTILINE)


@dataclass(frozen=True)
class Trial:
    """An interpreter, and the packages that the tests run with: requirements and constraints as pip reads them."""

    label: str
    interpreter: Interpreter
    requirements: str
    constraints: str
    has_torch: bool
    options: tuple[str, ...]
    """Arguments of pytest."""

    @property
    def folder(self) -> str:
        """The name of the environment's folder."""
        return "python-" + re.sub(r"[^\w.]+", "-", self.label).strip("-")


@dataclass(frozen=True)
class Result:
    """The outcome of the fast tests, and the text for the reader."""

    passed: bool
    summary: str


def plan_trial(name: str, interpreter: Interpreter, has_torch: bool) -> Trial:
    """Plan a run with the pinned versions, or with the lowest ones if the name says so."""
    needed = list_requirements(has_torch)
    rest, options = ("", ()) if has_torch else (" without torch", WITHOUT_TORCH)
    if name == LOWEST:
        lines = "\n".join([BUILDER, *map(take_lowest, needed)])
        label = f"{LOWEST} ({interpreter.version}){rest}"
        return Trial(label, interpreter, lines, "", has_torch, (*options, *WITHOUT_PINS))
    lines = "\n".join([BUILDER, *map(str, needed)])
    pins = PINS.read_text(encoding="utf-8")
    return Trial(f"{interpreter.version}{rest}", interpreter, lines, pins, has_torch, options)


def run_trial(trial: Trial) -> Result:
    """Make the environment unless it is there, and run the fast tests in it."""
    try:
        folder = prepare(trial)
    except EnvironmentFault as fault:
        return Result(passed=False, summary=f"failed, {fault}")
    command = [str(folder / "bin/python"), *FAST, *trial.options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    log = folder / "fast-tests.log"
    log.write_text(done.stdout)
    return summarize(done.returncode, done.stdout, log)


def summarize(code: int, output: str, log: Path) -> Result:
    """Return the last line of pytest's output, and after a failure the names of the tests that failed."""
    found = SUMMARY.findall(output)
    lines = [found[-1] if found else f"failed, pytest ended with exit code {code}"]
    if code:
        lines += [*FAULT.findall(output), f"all of the output is in {log}"]
    return Result(passed=code == 0, summary="\n  ".join(lines))


def prepare(trial: Trial) -> Path:
    """Return the folder of a virtual environment for the trial; raise EnvironmentFault if it cannot be made."""
    python = trial.interpreter
    wanted = "\n".join([python.program, python.version, trial.requirements, trial.constraints])
    return make_once(trial.folder, wanted, lambda folder: fill(folder, trial))


def fill(folder: Path, trial: Trial) -> None:
    """Install what the trial asks for, then this checkout."""
    run((trial.interpreter.program, "-m", "venv", str(folder)), ROOT)
    requirements, constraints = folder / "requirements.txt", folder / "constraints.txt"
    requirements.write_text(trial.requirements, encoding="utf-8")
    constraints.write_text(trial.constraints, encoding="utf-8")
    try:
        pip = make_environment(folder)
        if trial.has_torch:
            install_torch(pip, read_torch(), os.environ.get("TORCH_INDEX"))
        pip.install(("-r", str(requirements), "-c", str(constraints)))
        pip.run(("-q", "--no-build-isolation", "--no-deps", "-e", str(ROOT)))
    except PipFault as fault:
        raise EnvironmentFault(str(fault)) from fault
