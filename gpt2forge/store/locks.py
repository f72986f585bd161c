"""Waiting for a lock that another process, or another thread, may have."""

import fcntl
import time
from collections.abc import Callable

PAUSE = 0.05  # seconds between two tries


def acquire(descriptor: int, wait: Callable[[], None]) -> None:
    """Lock an open file for this descriptor alone.

    `wait` is called before each further try while another has it; by raising, it gives up.
    """
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            wait()
            time.sleep(PAUSE)
