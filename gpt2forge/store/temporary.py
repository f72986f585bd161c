"""Temporary files and folders in the user's own folders. Killed commands leave some, and later commands remove them.

Whoever makes one locks it. One that nobody holds is a leftover, and only names that gpt2forge makes are looked at:

.aside-XXXXXXXX                 a file, or a link to an artifact, that has not yet taken its place; see atomic.py
.NAME.PID                       such a link of an earlier version
.gpt2forge-KIND-XXXXXXXX/       a folder in which a command works
"""

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gpt2forge.store.atomic import ASIDE, remove_tree
from gpt2forge.store.locks import is_place, lock_idle, try_lock

ASIDE_NAME = re.compile(rf"{re.escape(ASIDE)}[a-z0-9_]{{8}}")
EARLIER_LINK = re.compile(r"\..+\.[0-9]+")
FOLDER_NAME = re.compile(r"\.gpt2forge-[a-z]+-[0-9a-f]{8}")
TARGET = re.compile(r"/artifacts/[0-9a-f]{64}$")
YOUNG = 1.0  # seconds; a file that was just made may not be locked yet, and a link cannot be locked


def name_aside(folder: Path) -> Path:
    """Return a new path in a folder for a link that has not yet taken its place."""
    return folder / f"{ASIDE}{secrets.token_hex(4)}"


@contextmanager
def make_temporary(parent: Path, kind: str) -> Iterator[Path]:
    """Make an empty folder to work in, hold its lock, and remove what is left of it at the end.

    Folders of the same kind that killed commands left there are removed first. Raises OSError if it cannot be made.
    """
    if not parent.exists():
        parent.mkdir(parents=True, exist_ok=True)
    clear_folders(parent, kind)
    folder, descriptor = make_locked(parent, kind)
    try:
        yield folder
    finally:
        remove_quietly(folder)
        os.close(descriptor)


def make_locked(parent: Path, kind: str) -> tuple[Path, int]:
    """Make a folder and lock it; return it with the descriptor of the lock."""
    while True:
        folder = parent / f".gpt2forge-{kind}-{secrets.token_hex(4)}"
        folder.mkdir()
        with suppress(FileNotFoundError):  # another command may take it for a leftover before it is locked
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try_lock(descriptor, folder)
            if is_place(folder, descriptor):
                return folder, descriptor
            os.close(descriptor)


def clear_folders(parent: Path, kind: str = "*") -> None:
    """Remove the folders of a kind, by default all, that killed commands left."""
    for path in parent.glob(f".gpt2forge-{kind}-*"):
        if FOLDER_NAME.fullmatch(path.name) and path.is_dir():
            with lock_idle(path) as is_left:
                if is_left:
                    remove_quietly(path)


def remove_quietly(folder: Path) -> None:
    """Remove a folder as far as possible: the worker of a killed command may still write to it."""
    with suppress(OSError):
        remove_tree(folder)


def clear_asides(folder: Path) -> None:
    """Remove files and links of killed commands that never took their place."""
    for path in folder.glob(".*"):
        if is_aside(path) and is_old(path) and is_left(path):
            with suppress(OSError):
                path.unlink()


def is_aside(path: Path) -> bool:
    """Return whether a name is one that gpt2forge gives to what has not yet taken its place."""
    if path.is_symlink():
        is_named = ASIDE_NAME.fullmatch(path.name) or EARLIER_LINK.fullmatch(path.name)
        is_output = path.with_name(f"{path.name}.json").exists()  # a recipe may have such a name
        return is_named is not None and not is_output and TARGET.search(str(path.readlink())) is not None
    return ASIDE_NAME.fullmatch(path.name) is not None and path.is_file()


def is_old(path: Path) -> bool:
    """Return whether a file or link is old enough to be locked by its maker."""
    with suppress(OSError):
        return time.time() - path.lstat().st_mtime > YOUNG
    return False


def is_left(path: Path) -> bool:
    """Return whether nobody holds a file; a link is held by nobody."""
    if path.is_symlink():
        return True
    with lock_idle(path) as is_idle:
        return is_idle
