"""Locks that end with the process that holds them: on a key, on a whole store, on any open file."""

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.file_lock import lock_file, open_existing, open_lock
from gpt2forge.store.rights import make_folder

PAUSE = 0.05  # seconds between two tries
GATE = "held"  # the file that `hold_store` locks
KEY = re.compile("[0-9a-f]{64}")


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
    while True:
        descriptor = open_key(root, path)
        try:
            acquire(descriptor, path, wait)
            if is_place(path, descriptor):  # else `remove_idle_locks` removed the file before this process locked it
                yield descriptor
                return
        finally:
            os.close(descriptor)


def open_key(root: Path, path: Path) -> int:
    """Open the lock file of a key, and make it if it is missing. Raises UserError if the store cannot be written."""
    try:
        make_folder(path.parent, root)
        return open_lock(path)
    except OSError as error:
        raise UserError(f"{root}: cannot be written: {error.strerror}; choose another with `--store`") from error


def is_place(path: Path, descriptor: int) -> bool:
    """Return whether the path still names the file or folder that is open."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def try_lock(descriptor: int, path: Path) -> bool:
    """Lock an open file or folder without waiting; return False if another process has it, or it cannot be locked."""
    try:
        lock_file(descriptor, path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (OSError, UserError):
        return False
    return True


@contextmanager
def lock_idle(path: Path) -> Iterator[bool]:
    """Lock an existing file or folder if nobody holds it; yield whether it is locked and still has its name."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        yield False
        return
    try:
        yield try_lock(descriptor, path) and is_place(path, descriptor)
    finally:
        os.close(descriptor)


def remove_idle_locks(root: Path) -> None:
    """Remove the lock file of each key that nobody holds. Who has just opened one notices, and opens a new file."""
    for path in (root / "locks").glob("*"):
        if KEY.fullmatch(path.name):
            with lock_idle(path) as is_idle:
                if is_idle:
                    path.unlink()


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
def hold_store(
    root: Path, is_alone: bool, is_read_only: bool, wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Protect artifacts from removal: builds and readers hold a store together, garbage collection holds it alone.

    `wait` is called before each further try while others hold the store; without it, StoreBusy is raised at once.
    Raises UserError if the store has no locks and is to be written. A store that cannot be written loses nothing, so
    nobody holds it.
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
            if is_alone:
                acquire(descriptor, root / GATE, wait or partial(raise_busy, root))
            else:
                lock_file(descriptor, root / GATE, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def raise_busy(root: Path) -> None:
    """Raise StoreBusy."""
    raise StoreBusy(f"{root}: a build or another command is using it; try again when it has ended")


def open_gate(root: Path, is_read_only: bool) -> int:
    """Open the file that `hold_store` locks, and make it unless `is_read_only`. Raises OSError."""
    if is_read_only:
        return open_existing(root / GATE)
    make_folder(root, root)
    return open_lock(root / GATE)
