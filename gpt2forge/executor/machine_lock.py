"""A lock that all of a machine's users share: what is measured alone is disturbed by nothing of ours."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.locks import acquire

NAME = "gpt2forge-alone.lock"
SHARED = Path("/tmp")  # not $TMPDIR, which may be one of each user's own


@contextmanager
def hold_machine(wait: Callable[[], None]) -> Iterator[int]:
    """Hold the machine, and give the descriptor that does; `wait` is called before waiting for another that has it."""
    descriptor = open_lock((SHARED if SHARED.is_dir() else Path(tempfile.gettempdir())) / NAME)
    try:
        acquire(descriptor, wait)
        yield descriptor
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """Open the file, which another user may have made: to lock it, reading is enough."""
    try:
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            os.fchmod(descriptor, 0o644)  # whatever the umask says: other users must be able to read it
            return descriptor
    except OSError as error:
        raise UserError(f"{path}: cannot be locked: {error.strerror}; remove it") from error
