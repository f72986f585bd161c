"""Functions that damage a file, each in its own way. Each changes the stat of the file."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

Hurt = Callable[[Path, random.Random], None]


def truncate(path: Path, draw: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(draw.randrange(path.stat().st_size))


def delete(path: Path, draw: random.Random) -> None:
    path.unlink()


def exchange(path: Path, draw: random.Random) -> None:
    """Put another file of the same size in its place, as `mv` does."""
    other = path.with_name(path.name + ".other")
    other.write_bytes(draw.randbytes(path.stat().st_size))
    other.replace(path)


def flip(path: Path, draw: random.Random) -> None:
    """Flip one bit, often the lowest of a byte, which usually turns a hexadecimal digit into another."""
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= draw.choice((1, 1 << draw.randrange(8)))
    path.write_bytes(data)


def empty(path: Path, draw: random.Random) -> None:
    path.write_bytes(b"")


def make_folder(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def make_link(path: Path, draw: random.Random) -> None:
    """Put a link in its place: to the old file under another name, or to nothing."""
    aside = path.with_name(path.name + ".moved")
    path.rename(aside)
    path.symlink_to(aside.name)
    if draw.random() < 0.5:
        aside.unlink()


HURTS: tuple[Hurt, ...] = (truncate, delete, exchange, flip, empty, make_folder, make_link)


def hurt(path: Path, how: Hurt, draw: random.Random) -> None:
    """Damage a file as root or its owner can, whatever its permissions are."""
    path.parent.chmod(0o755)
    if not path.is_symlink() and not path.is_dir():
        path.chmod(0o644)
    how(path, draw)


LOSSES = ("gone", "file", "link", "dangling")


def hurt_folder(folder: Path, way: str, draw: random.Random) -> None:
    """Remove a whole artifact, or replace it by a file, a link to itself under another name, or a link to nothing."""
    folder.chmod(0o755)
    aside = folder.with_name(f"moved-{draw.randrange(1 << 30)}")
    folder.rename(aside)
    if way == "file":
        folder.write_bytes(b"a file")
    if way in ("link", "dangling"):
        folder.symlink_to(aside if way == "link" else "nothing")
    if way != "link":
        shutil.rmtree(aside)


def copy_fresh(folder: Path, place: Path) -> None:
    """Copy a tree as a CI cache is restored: with other inodes and times, but the same modes."""
    shutil.copytree(folder, place, symlinks=True, copy_function=shutil.copy)
    os.utime(place)
