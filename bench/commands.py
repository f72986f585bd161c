"""Commands of users, run in processes of their own and measured from outside."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.measure.child import WATCH_INTERVAL
from gpt2forge.measure.memory import measure_anonymous
from gpt2forge.measure.spread import summarize
from interop.environments import find_errors

ROOT = Path(__file__).resolve().parent.parent
BUILD = (sys.executable, "-m", "gpt2forge", "build")
UNMEASURED = ("--skip", "verify,benchmark")


@dataclass
class Peak:
    """The most anonymous memory, in bytes, that a process and its descendants held whenever `watch` was called."""

    pid: int
    bytes: int = 0

    def watch(self) -> None:
        self.bytes = max(self.bytes, measure_anonymous(self.pid))


@dataclass(frozen=True)
class Finished:
    """A command that succeeded: wall time of the whole process, peak anonymous memory (bytes), standard output."""

    seconds: float
    peak: int
    output: str


def run_command(command: Sequence[str], folder: Path, is_watched: bool = False) -> Finished:
    """Run a command to its end in a folder; measure its memory if it `is_watched`, which takes a little time.

    Raises RuntimeError with the command's errors when it fails.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # users' commands find the byte code of the first one
    pipe = subprocess.PIPE
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        peak = Peak(process.pid)
        while True:
            try:
                output, errors = process.communicate(timeout=WATCH_INTERVAL if is_watched else None)
                break
            except subprocess.TimeoutExpired:
                peak.watch()
    seconds = time.perf_counter() - began
    if process.returncode:
        reason = find_errors(errors) or output.strip()
        raise RuntimeError(f"{reason}: exit code {process.returncode} of `{' '.join(command)}`")
    return Finished(seconds, peak.bytes, output)


def take_turns(acts: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, dict[str, float]]:
    """Call each of `acts` once a round, in turns; return the spread of what each returned."""
    samples: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(rounds):
        for name, act in acts.items():
            samples[name].append(act())
    return {name: summarize(values).to_json() for name, values in samples.items()}
