"""A build or its worker, killed at any moment: the next build goes on and makes the same bytes."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import Note
from tests.faults.forge import Forge
from tests.faults.state import State, list_debris, read_tree, take_state
from tests.workshop import UNMEASURED, Workshop, make_workshop

pytestmark = pytest.mark.slow

START = 0.5  # seconds, of a command before its first step


def test_toy_build_that_was_killed_is_finished_by_the_next(
    tmp_path: Path, forge: Forge, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    whole, struck = 1.0, 0
    for number in range(3):
        started = time.monotonic()
        expected = forge.build(tmp_path / f"undisturbed-{number}")
        whole = min(whole, time.monotonic() - started)
    files = read_tree(tmp_path / "undisturbed-0/build/toy")
    for number in range(count := rounds(5)):
        folder = tmp_path / "killed"
        folder.mkdir()
        moment = draw.uniform(0, whole)
        pid = forge.begin(folder)
        time.sleep(moment)
        kill(pid, its_worker=draw.random() < 0.3)
        struck += forge.hear() != 0
        found = forge.build(folder, collects=True)
        message = f"round {number}, killed after {moment:.4f} s"
        assert {stage: made[1:] for stage, made in found.items()} == {
            stage: made[1:] for stage, made in expected.items()
        }, message
        assert read_tree(folder / "build/toy") == files, message
        assert list_debris(folder / "cache") == [], message
        clear(folder)
    assert struck > count // 10  # the others ended before
    note(
        "kill -9 of a build of toy stages, or of its worker, at a random moment; then a build and `store gc`",
        count,
        "each next build made the same keys and bytes; nothing was left behind",
    )


def test_real_build_that_was_killed_is_finished_by_the_next(
    tmp_path: Path,
    built_once: Workshop,
    undisturbed: State,
    rounds: Callable[[int], int],
    draw: random.Random,
    note: Note,
) -> None:
    whole = estimate_build(built_once)
    for number in range(count := rounds(2)):
        shop = make_workshop(tmp_path / "killed")
        moment = draw.uniform(0, whole)
        build = subprocess.Popen(
            [sys.executable, "-m", "gpt2forge", "build", "nano-cpu-int8", *UNMEASURED],
            cwd=shop.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moment)
        kill(build.pid, its_worker=number % 2 == 1)
        build.wait()
        message = f"round {number}, killed after {moment:.3f} s"
        assert take_state(shop, "nano-cpu-int8") == undisturbed, message
        shop.run("store", "gc")
        assert list_debris(shop.store) == [], message
        assert "0 damaged" in shop.run("store", "verify").stdout, message
        clear(shop.folder)
    note(
        "kill -9 of `build nano-cpu-int8`, or of its worker, at a random moment; then a build and `store gc`",
        count,
        "each next build made the same keys and bytes; nothing was left behind",
    )


def estimate_build(shop: Workshop) -> float:
    """Return about how many seconds a build takes from its start: as long as its steps took in this workshop."""
    report = json.loads((shop.folder / "build/nano-cpu-int8.json").read_text())
    return START + sum(float(step["seconds"]) for step in report["steps"])


def kill(pid: int, its_worker: bool) -> None:
    """Kill a build without a warning, or its worker if it has started one."""
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        workers = psutil.Process(pid).children() if its_worker else []
        os.kill(workers[0].pid if workers else pid, signal.SIGKILL)


def clear(folder: Path) -> None:
    for path in folder.glob("cache/artifacts/*/"):
        path.chmod(0o755)
    shutil.rmtree(folder)
