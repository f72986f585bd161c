"""Limits on what a process may use: one line, nothing lost, and the next build goes on."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Note
from tests.faults.forge import GROUP, Forge
from tests.faults.state import list_debris, read_tree
from tests.workshop import UNMEASURED, Workshop

pytestmark = pytest.mark.slow

USER = 4003
LIMITS = (
    *({"RLIMIT_NOFILE": most} for most in range(4, 20)),
    *({"RLIMIT_FSIZE": most} for most in (0, 1, 10, 100, 1000)),
    *({"RLIMIT_NPROC": most} for most in range(1, 8)),
)


def test_toy_builds_within_narrow_limits(
    open_folder: Path, forge: Forge, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    (open_folder / "free").mkdir()
    expected = [made[1:] for made in forge.build(open_folder / "free").values()]
    chosen = LIMITS if rounds(6) >= len(LIMITS) else draw.sample(LIMITS, rounds(6))
    failed = 0
    for number, limits in enumerate(chosen):
        folder = open_folder / str(number)
        shutil.copytree(open_folder / "free/source", folder / "source")
        user = USER if os.geteuid() == 0 else None  # root may start as many processes as it likes
        if user is not None:
            os.chown(folder, user, GROUP)
        forge.begin(folder, user=user, limits=limits)
        code = forge.hear()
        assert code in (0, 1), limits
        failed += code
        found = forge.build(folder, user=user, collects=True)
        assert [made[1:] for made in found.values()] == expected, limits
        assert list_debris(folder / "cache") == [], limits
    assert failed
    note(
        "toy builds with few files, processes and threads, and small files (setrlimit)",
        failed,
        "each ended in one line; each next build made the same keys and bytes",
    )


def test_machine_without_proc(built: Workshop, note: Note) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root, to hide /proc")
    files = read_tree(built.folder / "build/nano-cpu-int8")
    words = (sys.executable, "-m", "gpt2forge", "build", "nano-cpu-int8", "--rerun", "quantize", *UNMEASURED)
    command = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /proc && exec "$@"', "sh", *words)
    done = subprocess.run(command, cwd=built.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert read_tree(built.folder / "build/nano-cpu-int8") == files
    note("a build without /proc", 1, "the same bytes")
