"""Locks on open files: flock(2), and where a file system refuses it, locks of the open file by fcntl(2).

Both end with the last process that holds the descriptor, and pass to a child that inherits it. So a child keeps the
lock of a parent that was killed. Ordinary locks of fcntl(2) belong to one process, which is why none is used here.

* NFS emulates flock by fcntl, and locks a file exclusively only if it is open for writing: see flock(2).
* Lustre without `-o flock`, and some file systems in user space, refuse flock with ENOSYS, NFS without its daemon with
  ENOLCK.
"""

import errno
import fcntl
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.rights import share_file, wait_for_rights

REFUSED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF)
TRIES = 100  # to open a file that others make and remove; a link that leads nowhere is there, and yet cannot be opened
UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
STRUCT_FLOCK = "hhqqi4x"  # type, whence, start, length, process: of Linux on 64 bits


def open_lock(path: Path) -> int:
    """Open a lock file, and make it if it is missing; see `open_existing`. Raises OSError."""
    for _ in range(TRIES):
        with suppress(FileNotFoundError):
            wait_for_rights(path, os.R_OK)  # in a folder like /tmp, others may never write to it
            return open_existing(path)
        with suppress(FileExistsError):  # another process was faster, and a third may remove the file again
            return make_lock(path)
    return open_existing(path)


def make_lock(path: Path) -> int:
    """Make a lock file and open it. Raises FileExistsError if it is there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    with suppress(FileNotFoundError):  # it was removed at once, which whoever locks it notices
        share_file(path)
    return descriptor


def open_existing(path: Path, flags: int = 0) -> int:
    """Open a lock file for writing, or for reading if it may not be written: most file systems lock that too.

    `flags` are added to those of os.open. Raises OSError.
    """
    try:
        return os.open(path, os.O_RDWR | flags)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | flags)


def lock_file(descriptor: int, path: Path, kind: int) -> None:
    """Lock an open file; `kind` is as for fcntl.flock.

    Raises BlockingIOError if another process or thread has the lock and `kind` has LOCK_NB, UserError if the file
    system of `path` has no locks.
    """
    try:
        try:
            fcntl.flock(descriptor, kind)
        except OSError as error:
            if error.errno not in REFUSED or not sys.platform.startswith("linux"):
                raise
            lock_description(descriptor, kind)
    except BlockingIOError:
        raise
    except OSError as error:
        raise UserError(f"{path}: cannot be locked: {explain(error)}") from error


def lock_description(descriptor: int, kind: int) -> None:
    """Lock by fcntl the open file that a descriptor refers to ("open file description lock"). Raises OSError."""
    command = fcntl.F_OFD_SETLK if kind & fcntl.LOCK_NB else fcntl.F_OFD_SETLKW
    mode = fcntl.F_WRLCK if kind & fcntl.LOCK_EX else fcntl.F_RDLCK
    try:
        fcntl.fcntl(descriptor, command, struct.pack(STRUCT_FLOCK, mode, os.SEEK_SET, 0, 0, 0))
    except PermissionError as error:  # some systems say EACCES for EAGAIN
        raise BlockingIOError(error.errno, error.strerror) from error


def explain(error: OSError) -> str:
    """Return why a file cannot be locked, and what to do."""
    if error.errno == errno.EBADF:
        return "this file system locks only files that you may write; its owner can let you, as in `chmod g+w`"
    return f"{error.strerror}; its file system has no locks, so choose a folder on another one"
