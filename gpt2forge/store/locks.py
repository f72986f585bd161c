"""Locks that end with the process that holds them: on a key, on a whole store, on any open file."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gpt2forge.errors import UserError

PAUSE = 0.05  # seconds between two tries


class StoreBusy(UserError):
    """A build is using the store."""


def acquire(descriptor: int, wait: Callable[[], None]) -> None:
    """Lock an open file for this descriptor alone.

    `wait` is called before each further try while another process or thread has the lock; it may raise to give up.
    """
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            wait()
            time.sleep(PAUSE)


@contextmanager
def lock_key(root: Path, key: str, wait: Callable[[], None] = lambda: None) -> Iterator[int]:
    """Hold a key of a store and yield the descriptor that holds it. A process that inherits it shares the lock.

    `wait` is called before each further try while another process holds the key. Raises UserError if the store cannot
    be written.
    """
    path = root / "locks" / key
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(f"{root}: cannot be written: {error.strerror}; choose another with `--store`") from error
    try:
        acquire(descriptor, wait)
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock of a file; the file that a killed build left is held by none."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False


@contextmanager
def hold_store(root: Path, is_alone: bool, is_read_only: bool) -> Iterator[None]:
    """Protect artifacts from removal: builds and readers hold a store together, garbage collection holds it alone.

    Raises StoreBusy if `is_alone` and a build runs. A store that cannot be written loses nothing, so nobody holds it.
    """
    try:
        descriptor = open_gate(root, is_read_only)
    except OSError as error:
        if is_alone:
            raise UserError(f"{root}: cannot be written: {error.strerror}") from error
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if is_alone else fcntl.LOCK_SH)
        except BlockingIOError as error:
            raise StoreBusy(f"{root}: a build is using it; try again when it has ended") from error
        yield
    finally:
        os.close(descriptor)


def open_gate(root: Path, is_read_only: bool) -> int:
    """Open the file that `hold_store` locks, and create it unless `is_read_only`. To lock it, reading is enough."""
    gate = root / "held"
    if not is_read_only and not gate.exists():
        root.mkdir(parents=True, exist_ok=True)
        return os.open(gate, os.O_RDONLY | os.O_CREAT, 0o644)
    return os.open(gate, os.O_RDONLY)
