"""Runs `gpt2forge build` as users do: cold, with nothing to do, measuring fidelity, and of several variants at once."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.commands import BUILD, UNMEASURED, run_command, take_turns
from bench.plan import Plan
from gpt2forge.measure.spread import summarize
from gpt2forge.store.atomic import remove_tree

COLD, FITTED = "int8 blocks of 128", "int4 blocks of 128, fitted"
IDLE_ROUNDS = 5
VARIANT_ROUNDS = 3  # at most: a round is a dozen builds


@dataclass(frozen=True)
class Build:
    """One build: wall time of the whole command, peak anonymous memory in bytes, and the report it printed."""

    seconds: float
    peak: int
    report: dict[str, Any]

    @property
    def reported_peak(self) -> int:
        """Return the memory of the largest step, as the report has it."""
        return max(int(step["peak_memory_bytes"]) for step in self.report["steps"])

    @property
    def built(self) -> dict[str, float]:
        """Return the seconds of the steps that ran."""
        return {step["stage"]: step["seconds"] for step in self.report["steps"] if step["outcome"] == "built"}

    def digest(self, stage: str) -> str:
        """Return the digest of a step's artifact."""
        return next(str(step["digest"]) for step in self.report["steps"] if step["stage"] == stage)


def run_build(plan: Plan, variant: str, skip: str = UNMEASURED[1]) -> Build:
    """Build a variant with the plan's folder as working directory, without the steps `skip`.

    Raises RuntimeError with the command's errors when it fails.
    """
    words = [str(plan.recipe(variant)), *plan.changes(variant), "--store", str(plan.store), "--json", "--skip", skip]
    done = run_command([*BUILD, *words], plan.work, is_watched=True)
    return Build(done.seconds, done.peak, json.loads(done.output.splitlines()[-1])["report"])


def build_cold(plan: Plan, variant: str) -> Build:
    """Build into an empty store. The system's cache of files stays as it is."""
    if plan.store.exists():
        remove_tree(plan.store)
    return run_build(plan, variant)


def describe(builds: list[Build]) -> dict[str, Any]:
    """Return the numbers of several builds of one recipe, memory in bytes."""
    return {
        "seconds": summarize([build.seconds for build in builds]).to_json(),
        "peak_memory_bytes": max(build.peak for build in builds),
        "peak_memory_bytes_told": max(build.reported_peak for build in builds),
        "steps": builds[-1].built,
    }


def measure_fitting(plan: Plan) -> dict[str, Any]:
    """Measure a cold build that fits the weights to a text: once, because it takes minutes."""
    return {plan.name(FITTED): describe([build_cold(plan, FITTED)])}


def measure_builds(plan: Plan, small: Plan) -> dict[str, Any]:
    """Measure cold builds of both models' int8 recipe, taken in turns, and builds with nothing to do."""
    cold: list[list[Build]] = [[], []]
    for _ in range(plan.builds):
        for builds, each in zip(cold, (plan, small), strict=True):
            builds.append(build_cold(each, COLD))
    idle = [run_build(plan, COLD) for _ in range(IDLE_ROUNDS)]
    if any(build.built for build in idle):
        raise RuntimeError(f"{plan.name(COLD)}: a build with nothing to do ran a step")
    names = (plan.name(COLD), small.name(COLD), "no-op")
    return {name: describe(builds) for name, builds in zip(names, (*cold, idle), strict=True)}


def measure_fidelity(plan: Plan) -> dict[str, Any]:
    """Return the part `verify` of each variant's report, with the bytes of the package and of float32."""
    reports = {variant: run_build(plan, variant, skip="benchmark").report for variant in plan.verified}
    return {
        variant: {**report["verify"], "bytes": report["bytes"]["package"], "float32": report["bytes"]["float32"]}
        for variant, report in reports.items()
    }


def measure_variants(plan: Plan) -> dict[str, Any]:
    """Measure seconds of several variants from an empty store, unmeasured: in a command each, and in one."""
    recipes = [str(plan.recipe(name)) for name in plan.shipped]
    ways = {
        "one command each": [[recipe] for recipe in recipes],
        "one command, one step at a time": [[*recipes, "--jobs", "1"]],
        "one command": [recipes],
    }
    acts = {name: partial(time_builds, plan, commands) for name, commands in ways.items()}
    return take_turns(acts, min(VARIANT_ROUNDS, plan.rounds))


def time_builds(plan: Plan, commands: list[list[str]]) -> float:
    """Return the seconds of these builds, one after the other, from an empty store."""
    store = plan.work / "variants"
    if store.exists():
        remove_tree(store)
    return sum(
        run_command([*BUILD, *words, "--store", str(store), *UNMEASURED], plan.work).seconds for words in commands
    )
