"""Several variants of one checkpoint from an empty store: a command each, or one, and that with steps at once."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.plan import RECIPES, Plan
from gpt2forge.measure.spread import summarize
from gpt2forge.store.atomic import remove_tree

UNMEASURED = ("--skip", "verify,benchmark")
ROUNDS = 3  # at most: a round is a dozen builds
EACH, ONE, MANY = "one command each", "one command, one step at a time", "one command"


def measure_variants(plan: Plan) -> dict[str, Any]:
    """Seconds of whole commands, in turns; measuring steps are left out."""
    recipes = [str(plan.recipe(name)) for name in plan.shipped]
    ways = {
        EACH: [[recipe] for recipe in recipes],
        ONE: [[*recipes, "--jobs", "1"]],
        MANY: [recipes],
    }
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(min(ROUNDS, plan.rounds)):
        for name, commands in ways.items():
            samples[name].append(take_time(plan, commands))
    return {name: summarize(values).to_json() for name, values in samples.items()}


def take_time(plan: Plan, commands: list[list[str]]) -> float:
    """Seconds of these commands one after the other; raises RuntimeError with what one said when it fails."""
    store = plan.work / "variants"
    if store.exists():
        remove_tree(store)
    began = time.perf_counter()
    for words in commands:
        run(plan.work, [*words, "--store", str(store), *UNMEASURED])
    return time.perf_counter() - began


def run(folder: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", "gpt2forge", "build", *words]
    environment = {**os.environ, "PYTHONPATH": str(RECIPES.parent)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
