"""Writes that survive a crash: the new file is written aside, reaches the disk, and then takes its place."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gpt2forge.store.locks import try_lock
from gpt2forge.store.rights import make_folder, share_file

ASIDE = ".aside-"  # prefix of files and folders that are not yet in their place


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
        try_lock(file.fileno(), aside)  # or `leftovers.clear_asides` would take it for one that a killed process left
        try:
            file.write(data)
            file.flush()
            finish(file.fileno())
            share_file(aside)
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


def is_folder(path: Path) -> bool:
    """Return whether the path is a folder itself, not a link to one."""
    return path.is_dir() and not path.is_symlink()


def move(path: Path, place: Path) -> None:
    """Move a file or folder to a place that does not exist: in one step, as far as anyone who looks there can tell.

    A folder cannot be renamed in the lower layer of an overlayfs (EXDEV), as in a container image, nor a file or folder
    to another file system. Then it is copied aside, the copy is renamed, and the original is removed:
    https://docs.kernel.org/filesystems/overlayfs.html#renaming-directories
    """
    make_writable(path)  # a folder can move to another parent only while it is writable
    try:
        path.rename(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        aside = place.with_name(ASIDE + place.name)
        remove_tree(aside)
        copy_tree(path, aside)
        aside.rename(place)
        remove_tree(path)


def copy_tree(path: Path, place: Path) -> None:
    """Copy a file or folder to the disk, links as links, with times and modes."""
    if is_folder(path):
        place.mkdir()
        for entry in sorted(path.iterdir()):
            copy_tree(entry, place / entry.name)
        shutil.copystat(path, place)
    else:
        shutil.copy2(path, place, follow_symlinks=False)
    if not place.is_symlink():
        sync(place)


def put_aside(path: Path, folder: Path) -> Path:
    """Move a file or folder into the folder and return its new path. It replaces what has its name there."""
    aside = folder / path.name
    make_folder(folder, folder.parent)
    remove_tree(aside)
    move(path, aside)
    return aside


def discard(path: Path, folder: Path) -> None:
    """Remove a file or folder. It goes in one step, through `folder`, unless it cannot be renamed: see `move`."""
    aside = folder / path.name
    make_folder(folder, folder.parent)
    remove_tree(aside)
    make_writable(path)
    with suppress(OSError):
        path.rename(aside)
    remove_tree(path)
    remove_tree(aside)


def remove_tree(folder: Path) -> None:
    """Remove a tree, including read-only folders. A missing tree is no error."""
    if not is_folder(folder):
        folder.unlink(missing_ok=True)
        return
    make_writable(folder)
    for parent, folders, _ in os.walk(folder):  # it lists a folder after the loop below has made it readable
        for name in folders:
            make_writable(Path(parent, name))
    shutil.rmtree(folder)


def make_writable(folder: Path) -> None:
    """Let the owner write to a folder, unless it is a link. Nobody else could change its mode."""
    if is_folder(folder) and folder.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
        with suppress(OSError):
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IRWXU)
