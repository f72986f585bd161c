"""Locks that end with the process that holds them: on a key, on a whole store, on any open file."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.file_lock import lock_file, open_existing, open_lock
from gpt2forge.store.rights import make_folder

PAUSE = 0.05  # seconds between two tries
GATE = "held"  # the file that `hold_store` locks


class StoreBusy(UserError):
    """A build is using the store."""


def acquire(descriptor: int, path: Path, wait: Callable[[], None]) -> None:
    """Lock the open file `path` for this descriptor alone.

    `wait` is called before each further try while another process or thread has the lock; it may raise to give up.
    Raises UserError if the file system has no locks.
    """
    while True:
        try:
            lock_file(descriptor, path, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            wait()
            time.sleep(PAUSE)


@contextmanager
def lock_key(root: Path, key: str, wait: Callable[[], None] = lambda: None) -> Iterator[int]:
    """Hold a key of a store and yield the descriptor that holds it. A process that inherits it shares the lock.

    `wait` is called before each further try while another process holds the key. Raises UserError if the store cannot
    be written, or its file system has no locks.
    """
    path = root / "locks" / key
    try:
        make_folder(path.parent, root)
        descriptor = open_lock(path)
    except OSError as error:
        raise UserError(f"{root}: cannot be written: {error.strerror}; choose another with `--store`") from error
    try:
        acquire(descriptor, path, wait)
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock of a file; the file that a killed build left is held by none."""
    with suppress(FileNotFoundError):
        descriptor = open_existing(path)
        try:
            lock_file(descriptor, path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False


@contextmanager
def hold_store(root: Path, is_alone: bool, is_read_only: bool) -> Iterator[None]:
    """Protect artifacts from removal: builds and readers hold a store together, garbage collection holds it alone.

    Raises StoreBusy if `is_alone` and a build runs, UserError if the store has no locks and is to be written. A store
    that cannot be written loses nothing, so nobody holds it.
    """
    try:
        descriptor = open_gate(root, is_read_only)
    except OSError as error:
        if is_alone or (os.path.lexists(root / GATE) and not is_read_only):
            raise UserError(f"{root}: cannot be locked: {error.strerror}; choose another with `--store`") from error
        yield
        return
    try:
        with suppress(UserError) if is_read_only else nullcontext():  # without locks, nothing is ever removed
            lock_gate(descriptor, root, is_alone)
        yield
    finally:
        os.close(descriptor)


def lock_gate(descriptor: int, root: Path, is_alone: bool) -> None:
    """Lock the open file of `open_gate`. Raises StoreBusy if `is_alone` and a build runs."""
    kind = fcntl.LOCK_EX | fcntl.LOCK_NB if is_alone else fcntl.LOCK_SH
    try:
        lock_file(descriptor, root / GATE, kind)
    except BlockingIOError as error:
        raise StoreBusy(f"{root}: a build is using it; try again when it has ended") from error


def open_gate(root: Path, is_read_only: bool) -> int:
    """Open the file that `hold_store` locks, and make it unless `is_read_only`. Raises OSError."""
    if is_read_only:
        return open_existing(root / GATE)
    make_folder(root, root)
    return open_lock(root / GATE)
