"""Writes that survive a crash: the new file is written aside, reaches the disk, and then takes its place."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gpt2forge.store.locks import try_lock

ASIDE = ".aside-"  # prefix of files that are not yet in their place
READ_ONLY_FILE = 0o444
READ_ONLY_FOLDER = 0o555


def write_whole(path: Path, data: bytes, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Make the file hold exactly these bytes, or leave it as it was.

    `meanwhile` is called when the bytes are on the disk, before they take their place.
    """

    def sync_file(descriptor: int) -> None:
        os.fsync(descriptor)
        meanwhile()

    replace(path, data, sync_file)
    sync(path.parent)


def replace_text(path: Path, text: str) -> None:
    """Make the file hold this text in one step, without waiting for the disk. A crash may lose it."""
    replace(path, text.encode(), lambda descriptor: None)


def replace(path: Path, data: bytes, finish: Callable[[int], None]) -> None:
    """Write aside, call `finish` with the open file, then move the file into place. A kill leaves the file aside.

    Raises OSError that names `path`, because users do not know the file aside.
    """
    try:
        write_aside(path, data, finish)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_aside(path: Path, data: bytes, finish: Callable[[int], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=ASIDE, delete=False) as file:
        aside = Path(file.name)
        try_lock(file.fileno())  # or `leftovers.clear_asides` would take it for one that a killed process left
        try:
            file.write(data)
            file.flush()
            finish(file.fileno())
            aside.chmod(0o644)
            aside.replace(path)
        except BaseException:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def protect_folders(folder: Path) -> None:
    """Make a tree's folders read-only, so that nobody edits an artifact by accident."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(READ_ONLY_FOLDER)


def is_folder(path: Path) -> bool:
    """Return whether the path is a folder itself, not a link to one."""
    return path.is_dir() and not path.is_symlink()


def put_aside(path: Path, folder: Path) -> Path:
    """Move a file or folder into `folder` in one step and return its new path. It replaces what has its name there."""
    aside = folder / path.name
    remove_tree(aside)
    aside.parent.mkdir(parents=True, exist_ok=True)
    if is_folder(path):
        path.chmod(0o755)  # a folder can move to another parent only while it is writable
    path.rename(aside)
    return aside


def remove_tree(folder: Path) -> None:
    """Remove a tree, including read-only folders. A missing tree is no error."""
    if not is_folder(folder):
        folder.unlink(missing_ok=True)
        return
    for path in (folder, *folder.rglob("*")):
        if is_folder(path):
            path.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)
