"""What a build uses is removed or renamed while it runs: one line, nothing lost, and the next build goes on."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Note
from tests.faults.forge import Forge
from tests.faults.state import read_tree

pytestmark = pytest.mark.slow

PARTS = ("artifacts", "making", "locks", "records", "stat_cache", "logs")
VICTIMS = ("cache", *(f"cache/{part}" for part in PARTS), "build", "source")


def take_away(path: Path, aside: Path, is_renamed: bool) -> None:
    """Remove or rename a folder, as far as that is possible while something writes to it."""
    if not path.exists():
        return
    if is_renamed:
        path.rename(aside)
    else:
        shutil.rmtree(path, ignore_errors=True)


def test_folders_that_vanish_during_a_toy_build(
    tmp_path: Path, forge: Forge, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    undisturbed, began = tmp_path / "undisturbed", time.monotonic()
    undisturbed.mkdir()
    expected = forge.build(undisturbed)
    seconds, files = time.monotonic() - began, read_tree(undisturbed / "build/toy")
    count = rounds(6)
    for number in range(count):
        folder, aside = tmp_path / str(number), tmp_path / f"{number}-aside"
        folder.mkdir()
        victim = draw.choice(VICTIMS)
        is_renamed = victim == "source" or draw.random() < 0.5
        forge.begin(folder)
        time.sleep(draw.uniform(0, seconds))
        take_away(folder / victim, aside, is_renamed)
        assert forge.hear() in (0, 1), f"{victim}: {(folder / 'result').read_text()}"
        if victim == "source" and aside.exists() and not (folder / "source").exists():
            aside.rename(folder / "source")
        found = forge.build(folder, collects=True)
        assert [made[1:] for made in found.values()] == [made[1:] for made in expected.values()], victim
        assert read_tree(folder / "build/toy") == files, victim
    note(
        "the store, a folder of it, the output or the source removed or renamed at a random moment of a toy build",
        count,
        "a package or one line each; each next build made the same keys and bytes",
    )


def test_working_directory_that_is_gone(tmp_path: Path, note: Note) -> None:
    commands = (("build", "x"), ("plan", "x"), ("store", "ls"), ("generate", "x"))
    for words in commands:
        (tmp_path / "here").mkdir()
        command = ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", sys.executable, "-m", "gpt2forge", *words]
        done = subprocess.run(command, cwd=tmp_path / "here", capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith("error: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    note(
        "`build`, `plan`, `store ls` and `generate` in a working directory that was removed",
        len(commands),
        "one line and exit code 1",
    )
