"""Lets Ctrl-C wait while modules are imported, or while bars are drawn.

Inside an import, a KeyboardInterrupt may be lost in a callback, or come out of a compiled module as an ImportError.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt for a signal that arrives in the block when the block has ended, and not before.

    Only signals that would raise it are held, and only the main thread can hold them.
    """
    seen: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    held = [number for number in NUMBERS if signal.getsignal(number) is signal.default_int_handler]
    try:
        for number in held:
            signal.signal(number, hold)
    except ValueError:  # another thread
        held = []
    try:
        yield
    finally:
        for number in held:
            signal.signal(number, signal.default_int_handler)
    if seen:
        raise KeyboardInterrupt
