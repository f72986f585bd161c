"""A lock that all users of a machine share, so that only one benchmark of gpt2forge runs at a time."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.regular_file import open_regular
from gpt2forge.store.locks import acquire

NAME = "gpt2forge-alone.lock"
SHARED = Path("/tmp")  # not $TMPDIR, which may differ between users


@contextmanager
def hold_machine_lock(wait: Callable[[], None]) -> Iterator[int]:
    """Hold the lock and yield its descriptor; `wait` is called before waiting for another holder."""
    path = (SHARED if SHARED.is_dir() else Path(tempfile.gettempdir())) / NAME
    descriptor = open_lock(path)
    try:
        acquire(descriptor, path, wait)
        yield descriptor
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """Open the lock file for reading, which is enough to lock it in /tmp: another user may own it."""
    try:
        try:
            return open_regular(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            descriptor = open_regular(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW)
            os.fchmod(descriptor, 0o644)  # despite the umask: other users must be able to read it
            return descriptor
    except OSError as error:
        raise UserError(f"{path}: cannot be locked: {error.strerror}; remove it") from error
