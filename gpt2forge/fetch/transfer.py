"""One transfer of several files: how far it is, and the lock that keeps other processes out of its folder."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.store.locks import acquire

Advance = Callable[[int, int, str], None]
"""A callback for progress, called with (done, total, unit); the unit of bytes is `B`."""


@dataclass
class Transfer:
    """Counts the bytes of a transfer: `received` all of them, `done` those since `begin`, which names the `total`."""

    advance: Advance
    total: int = 0
    done: int = 0
    received: int = 0

    def begin(self, total: int) -> None:
        """Start to count, with `total` bytes to receive."""
        self.total, self.done = total, 0

    def count(self, received: int) -> None:
        """Add received bytes, and report them."""
        self.done += received
        self.received += received
        if self.total:
            self.advance(min(max(self.done, 0), self.total), self.total, "B")


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold a lock file; wait while another process holds it. Where nothing can be written, nothing is held."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        yield
        return
    try:
        acquire(descriptor, path, lambda: None)
        yield
    finally:
        os.close(descriptor)
