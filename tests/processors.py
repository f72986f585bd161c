"""Processors for the workers of pytest-xdist, each with its own.

The threads of onnxruntime and OpenMP wait by spinning: those of two workers on the same processors take twice the time
that they need.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

AVAILABLE = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def take_share() -> None:
    """Leave this process, if it is a worker, its share of the processors."""
    if hasattr(os, "sched_setaffinity") and "PYTEST_XDIST_WORKER" in os.environ:
        number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
        count = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        processors = sorted(AVAILABLE)
        os.sched_setaffinity(0, processors[number::count] or {processors[number % len(processors)]})


@contextmanager
def every_processor() -> Iterator[None]:
    """Let this process, and what it starts, use every processor that this run of pytest may use."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, AVAILABLE)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
