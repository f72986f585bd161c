"""Reads one damaged file within limits, and says what went wrong.

An input fails if its reader ends in anything but a result or a UserError of one printable line, takes longer than
SECONDS, or takes much more memory than the file has. Two measures find the last: memory in use, whose peak may not grow
by more than MEMORY, and the address space, of which SPACE is left; what goes beyond raises MemoryError, though it were
never touched.
"""

import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from gpt2forge.errors import UserError
from tests.checkpoint.fuzzing.coverage import Coverage

SECONDS = 5
MEMORY = 16 << 20  # bytes; the samples have some tens of kilobytes
SPACE = 256 << 20  # bytes
NO_MEMORY = "can't allocate memory"  # PyTorch's words


@dataclass(frozen=True)
class Target:
    """A file of a sample in a folder of its own, and what reads it.

    `seed` is the content that is damaged first. `wrap` makes the file of a content, where that has checksums.
    """

    path: Path
    read: Callable[[], object]
    seed: bytes
    wrap: Callable[[bytes], bytes] = bytes

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}-{self.path.name}"


def attempt(target: Target, content: bytes, coverage: Coverage) -> str:
    """Read a content; return what went wrong, empty if nothing did. Needs `limit_time` around it."""
    target.path.write_bytes(target.wrap(content))
    before = find_largest_memory()
    try:
        read(target, coverage)
    except KeyboardInterrupt:
        raise
    except UserError as error:
        if fault := check_error(error):
            return f"{fault}\n{traceback.format_exc()}"
    except BaseException:  # tokenizers raises a PanicException, which is no Exception
        return traceback.format_exc()
    grown = find_largest_memory() - before
    return f"grew by {grown} bytes" if grown > MEMORY else ""


def read(target: Target, coverage: Coverage) -> None:
    """Read the file of a target. The limit is of processor time: the machine may be busy with something else."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with coverage.trace():
            target.read()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def check_error(error: UserError) -> str:
    """Return what is wrong with an error that a user would see, empty if nothing is."""
    cause = error.__cause__
    if isinstance(cause, MemoryError) or NO_MEMORY in str(cause):
        return f"needs too much memory: {cause!r}"
    text = str(error)
    return "" if text and "\n" not in text and text.isprintable() else f"not one printable line: {text!r}"


@contextmanager
def limit_time() -> Iterator[None]:
    """Let the timer of `attempt` raise TimeoutError."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"longer than {SECONDS} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)


def limit_space() -> None:
    """Leave this process SPACE more of addresses than it has now; macOS does not tell."""
    sizes = Path("/proc/self/statm")
    if sizes.exists():
        now = int(sizes.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + SPACE, resource.getrlimit(resource.RLIMIT_AS)[1]))


def find_largest_memory() -> int:
    """Return the most memory that this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
