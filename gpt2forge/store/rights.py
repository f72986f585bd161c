"""Rights in a store: what is made there gets those of the folder that it is in, so that a group can share a store.

The umask decides the rights of the store's own folder, and only if that folder does not exist yet. A folder with the
setgid bit keeps its group, because whatever is made in it inherits both: see inode(7).
"""

import os
import stat
import time
from contextlib import suppress
from pathlib import Path

FOLDER = 0o3777  # rights of a folder, with setgid and sticky
FILE = 0o666
READ_ONLY = 0o444
NEW, PAUSE = 1.0, 0.005  # seconds that a folder or file is new for, and between two looks at one
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def make_folder(folder: Path, root: Path) -> None:
    """Make a folder of the store `root`, and those above it. Raises OSError, also if a file is in its place."""
    with suppress(FileExistsError):  # if it is a file, whatever comes next says so
        root.mkdir(parents=True)
    place = root
    for name in folder.relative_to(root).parts:
        place /= name
        make_one(place)


def make_one(folder: Path) -> None:
    """Make a folder with the rights of its parent, unless it exists."""
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
        with suppress(FileNotFoundError):
            wait_for_rights(folder, os.W_OK)
    else:
        share_folder(folder)


def wait_for_rights(path: Path, need: int) -> None:
    """Wait until the user who has just made a folder or file has given it its rights, which takes a moment.

    `need` is a mode of os.access.

    Raises FileNotFoundError if it is gone.
    """
    while not os.access(path, need) and time.time() - path.stat().st_ctime < NEW:
        time.sleep(PAUSE)


def share_folder(folder: Path) -> None:
    """Give a new folder the rights of its parent; its owner may always write to it, and remove what it holds."""
    set_mode(folder, folder.parent.stat().st_mode & FOLDER | stat.S_IRWXU)


def share_file(file: Path) -> None:
    """Give a new file the rights of its folder. In one like /tmp, where everybody may write, only its owner may."""
    mode = file.parent.stat().st_mode
    bits = FILE & ~OTHERS_WRITE if mode & stat.S_ISVTX else FILE
    set_mode(file, mode & bits | stat.S_IRUSR | stat.S_IWUSR)


def protect_file(file: Path) -> None:
    """Make a file readable for all who may read its folder, and writable for nobody."""
    set_mode(file, file.parent.stat().st_mode & READ_ONLY | stat.S_IRUSR)


def find_umask(folder: Path) -> int:
    """Return the umask with which a program gives what it makes in a folder the rights of that folder."""
    return 0o777 & ~(folder.stat().st_mode | stat.S_IRWXU)


def set_mode(path: Path, mode: int) -> None:
    """Set the mode of a file or folder of this user. File systems such as FAT have none, which is no error."""
    if stat.S_IMODE(path.stat().st_mode) != mode:
        with suppress(PermissionError, NotImplementedError):
            path.chmod(mode)
