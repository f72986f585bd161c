"""Builds of a matrix of the example on 1, 2 and 4 workers of a Dask cluster on this machine, beside builds without one.

Each is a whole process with an empty store. Each worker has one thread, and its cluster is there before.
"""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bench.commands import BUILD, ROOT, run_command, take_turns
from gpt2forge.store.atomic import remove_tree

ROUNDS = 3
WORKERS = (1, 2, 4)
ALONE = {"one step at once, no cluster": ("--jobs", "1"), "two steps at once, no cluster": ("--jobs", "2")}
BLOCKS = (16, 32, 64, 128, 256)
HEAD = """\
name: matrix
extends: gpt2forge/cpu
source: {checkpoint: examples/nano}
benchmark: null
matrix:
"""


def measure_cluster(work: Path, workers: tuple[int, ...] = WORKERS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the spread of seconds of each build, by what it ran on."""
    prepare_matrix(work)
    acts = {name: partial(build, work, *words) for name, words in ALONE.items()}
    found: dict[str, Mapping[str, float]] = {}
    found |= take_turns(acts, rounds)
    for count in workers:
        found[f"{count} worker{'s' * (count > 1)}"] = measure_workers(work, count, rounds)
    return found


def measure_workers(work: Path, count: int, rounds: int) -> dict[str, float]:
    """Return the spread of seconds of builds on so many workers."""
    from distributed import LocalCluster

    preload = ["gpt2forge.cluster.preload"]
    with LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None, preload=preload) as cluster:
        words = ("--cluster", cluster.scheduler_address)
        return take_turns({"": partial(build, work, *words)}, rounds)[""]


def prepare_matrix(work: Path) -> None:
    """Make a folder with the example and a recipe of ten variants."""
    if work.exists():
        remove_tree(work)
    (work / "recipes").mkdir(parents=True)
    shutil.copytree(ROOT / "examples/nano", work / "examples/nano")
    variants = [(scheme, block) for scheme in ("int8", "int4") for block in BLOCKS]
    lines = [
        f"  {name}-{block}: {{quantization: {{scheme: {name}, granularity: {block}}}}}\n" for name, block in variants
    ]
    (work / "recipes/matrix.yaml").write_text(HEAD + "".join(lines), encoding="utf-8")


def build(work: Path, *words: str) -> float:
    """Return the seconds of a build into an empty store."""
    if (work / "cache").exists():
        remove_tree(work / "cache")
    return run_command([*BUILD, "matrix", *words], work).seconds
