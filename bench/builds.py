"""Runs `gpt2forge build` as users do, in a process of its own, and measures it from outside."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from bench.memory import Sampler
from bench.plan import RECIPES, Plan
from gpt2forge.measure.spread import Spread, summarize
from gpt2forge.store.atomic import remove_tree

COLD, FITTED = "int8 blocks of 128", "int4 blocks of 128, fitted"


@dataclass(frozen=True)
class Build:
    """One build: wall time of the whole command, peak anonymous memory in bytes, and the report it printed."""

    seconds: float
    peak: int
    report: dict[str, Any]

    @property
    def told_peak(self) -> int:
        """What the report says of memory: its largest step."""
        return max(int(step["peak_memory_bytes"]) for step in self.report["steps"])

    def digest(self, stage: str) -> str:
        """Which artifact a step came to."""
        return next(str(step["digest"]) for step in self.report["steps"] if step["stage"] == stage)


def run_build(plan: Plan, variant: str, skip: str = "verify,benchmark") -> Build:
    """Build a variant with the plan's folder as working directory, without the steps `skip`.

    Raises RuntimeError with what it said when it fails.
    """
    words = [str(plan.recipe(variant)), *plan.changes(variant), "--store", str(plan.store), "--json", "--skip", skip]
    command = [sys.executable, "-m", "gpt2forge", "build", *words]
    environment = {**os.environ, "PYTHONPATH": str(RECIPES.parent)}
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=plan.work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        with Sampler(process.pid) as sampler:
            told, errors = process.communicate()
        seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}\n{errors}")
    return Build(seconds, sampler.peak, json.loads(told.splitlines()[-1])["report"])


def build_cold(plan: Plan, variant: str) -> Build:
    """Build into an empty store. Files that the system still has in memory stay there."""
    if plan.store.exists():
        remove_tree(plan.store)
    return run_build(plan, variant)


def describe(builds: list[Build]) -> dict[str, Any]:
    """The numbers of several builds of one recipe, memory in bytes."""
    seconds: Spread = summarize([build.seconds for build in builds])
    built = [step for step in builds[-1].report["steps"] if step["outcome"] == "built"]
    return {
        "seconds": seconds.to_json(),
        "peak_memory_bytes": max(build.peak for build in builds),
        "peak_memory_bytes_told": max(build.told_peak for build in builds),
        "steps": {step["stage"]: step["seconds"] for step in built},
    }


def measure_fitting(plan: Plan) -> dict[str, Any]:
    """A cold build that fits the weights to a text: once, for it takes minutes."""
    return {plan.name(FITTED): describe([build_cold(plan, FITTED)])}


def measure_builds(plan: Plan, small: Plan) -> dict[str, Any]:
    """Cold builds of both models' int8 recipe, taken in turns, and builds with nothing to do."""
    large_builds, small_builds = [], []
    for _ in range(plan.builds):
        large_builds.append(build_cold(plan, COLD))
        small_builds.append(build_cold(small, COLD))
    idle = [run_build(plan, COLD) for _ in range(5)]
    if any(step["outcome"] == "built" for build in idle for step in build.report["steps"]):
        raise RuntimeError(f"{plan.name(COLD)}: a build with nothing to do made something")
    return {
        plan.name(COLD): describe(large_builds),
        small.name(COLD): describe(small_builds),
        "no-op": describe(idle),
    }
