"""The ways a file can be hurt. Each is given the file; afterwards its stat is another one."""

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
    """Another file of the same size, as `mv` puts it there."""
    other = path.with_name(path.name + ".other")
    other.write_bytes(draw.randbytes(path.stat().st_size))
    other.replace(path)


def flip(path: Path, draw: random.Random) -> None:
    """One bit. In hexadecimal digits the lowest makes another such digit more often than not."""
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= draw.choice((1, 1 << draw.randrange(8)))
    path.write_bytes(data)


def empty(path: Path, draw: random.Random) -> None:
    path.write_bytes(b"")


def make_folder(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def make_link(path: Path, draw: random.Random) -> None:
    """A link to what was there, under another name; or to nothing."""
    aside = path.with_name(path.name + ".moved")
    path.rename(aside)
    path.symlink_to(aside.name)
    if draw.random() < 0.5:
        aside.unlink()


HURTS: tuple[Hurt, ...] = (truncate, delete, exchange, flip, empty, make_folder, make_link)


def hurt(path: Path, how: Hurt, draw: random.Random) -> None:
    """Hurt a file as root or its owner would: whatever its permissions are."""
    path.parent.chmod(0o755)
    if not path.is_symlink() and not path.is_dir():
        path.chmod(0o644)
    how(path, draw)
    path.parent.chmod(0o555 if "artifacts" in path.parent.parent.name else 0o755)


def hurt_folder(folder: Path, draw: random.Random) -> None:
    """A whole artifact is gone, is a file, or is a link to what it was or to nothing."""
    folder.chmod(0o755)
    aside = folder.with_name(f"moved-{draw.randrange(1 << 30)}")
    folder.rename(aside)
    way = draw.choice(("gone", "file", "link", "dangling"))
    if way == "file":
        folder.write_bytes(b"a file")
    if way in ("link", "dangling"):
        folder.symlink_to(aside if way == "link" else "nothing")
    if way != "link":
        shutil.rmtree(aside)


def copy_anew(folder: Path, place: Path) -> None:
    """Copy a tree as a CI cache comes back: other inodes, other times, the modes kept."""
    shutil.copytree(folder, place, symlinks=True, copy_function=shutil.copy)
    os.utime(place)
