"""File systems for one test each; the test is skipped if they cannot be mounted."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mount(folder: Path, *words: str) -> Iterator[Path]:
    """Mount a file system with these arguments of mount(8); yield the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(["mount", *words, str(folder)], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", None) or str(error)
        pytest.skip(f"needs to mount a file system, as root or in `unshare -rm`: {why.strip()}")
    try:
        yield folder
    finally:
        run("umount", "--lazy", str(folder))


@contextmanager
def small_disk(folder: Path, limit: str) -> Iterator[Path]:
    """Mount a disk in memory with a limit, as in `size=1m` and `nr_inodes=50`."""
    with mount(folder, "-t", "tmpfs", "-o", limit, "tmpfs") as disk:
        yield disk


def enlarge(folder: Path) -> None:
    run("mount", "-o", "remount,size=1g,nr_inodes=100000", str(folder))


def wait_until_detached(image: Path, patience: float = 60) -> None:
    """Return when no loop device has the image open: until then, a mount of it shows what the kernel remembers.

    A process that took a copy of all mounts, as `unshare --mount` does, keeps the device until it ends. Raises
    TimeoutError.
    """
    deadline = time.monotonic() + patience
    while subprocess.run(["losetup", "--associated", str(image)], capture_output=True, check=True).stdout:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{image} is still attached to a loop device")
        time.sleep(0.05)


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
