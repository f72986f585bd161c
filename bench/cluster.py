"""Builds of a matrix of the example on 1, 2 and 4 workers of a Dask cluster on this machine, beside builds without one.

Each is a whole process with an empty store. Each worker has one thread, and its cluster is there before. Through an
exchange, the workers have an empty store of their own, and the level is an empty folder.
"""

import shutil
from collections.abc import Mapping
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any

from bench.commands import BUILD, ROOT, run_command, take_turns
from gpt2forge.store.atomic import remove_tree
from gpt2forge.units import count

ROUNDS = 3
WORKERS = (1, 2, 4)
ALONE = {"one step at once, no cluster": ("--jobs", "1"), "two steps at once, no cluster": ("--jobs", "2")}
OWN, LEVEL = "worker", "level"
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
    for number in workers:
        found[count(number, "worker")] = measure_workers(work, number, rounds)
    most = max(workers)
    found[f"{count(most, 'worker')}, through an exchange"] = measure_workers(work, most, rounds, "--exchange", LEVEL)
    return found


def measure_workers(work: Path, number: int, rounds: int, *words: str) -> dict[str, float]:
    """Return the spread of seconds of builds on so many workers, which run in the folder OWN."""
    from distributed import LocalCluster

    (work / OWN).mkdir(exist_ok=True)
    preload = ["gpt2forge.cluster.preload"]
    with (
        chdir(work / OWN),
        LocalCluster(n_workers=number, threads_per_worker=1, dashboard_address=None, preload=preload) as cluster,
    ):
        act = partial(build, work, "--cluster", cluster.scheduler_address, *words)
        return take_turns({"": act}, rounds)[""]


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
    for folder in (work / "cache", work / OWN / "cache", work / LEVEL):
        if folder.exists():
            remove_tree(folder)
    (work / LEVEL).mkdir()
    return run_command([*BUILD, "matrix", *words], work).seconds
