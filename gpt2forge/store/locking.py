"""Waiting for a lock that another process may have."""

import fcntl
from collections.abc import Callable


def acquire(descriptor: int, wait: Callable[[], None]) -> None:
    """Lock an open file for this process alone; `wait` is called before waiting for another that has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        wait()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
