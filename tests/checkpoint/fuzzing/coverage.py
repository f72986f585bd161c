"""Notes which lines of the readers are reached for the first time, at little cost.

Tracing every line makes a reader five times as slow. So only one input in EVERY is traced, only the first calls of each
function, and no function whose lines were all reached. What the others would miss most, the lines at which readers give
up, the traceback of an error shows for nothing.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from types import CodeType, FrameType, TracebackType
from typing import Any

from gpt2forge.checkpoint import detect

READERS = str(Path(detect.__file__).parent)
EVERY = 5  # inputs
CALLS = 4  # of a function in one input


class Coverage:
    """The lines of the readers that were reached; `new` counts those that the last input reached first."""

    def __init__(self) -> None:
        self.left: dict[CodeType, set[int]] = {}
        self.calls: Counter[CodeType] = Counter()
        self.ends: set[tuple[tuple[CodeType, int], ...]] = set()
        self.inputs = 0
        self.reached = 0
        self.new = 0

    @contextmanager
    def trace(self) -> Iterator[None]:
        """Trace what is run inside, if it is its turn; note where an error was raised."""
        self.new = 0
        self.calls.clear()
        if self.inputs % EVERY == 0:
            sys.settrace(self.enter)
        self.inputs += 1
        try:
            yield
        except BaseException as error:
            sys.settrace(None)
            self.note_end(error.__traceback__)
            raise
        finally:
            sys.settrace(None)
            self.reached += self.new

    def enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        left = self.left.get(code)
        if left is None:
            left = self.left[code] = list_lines(code)
        self.calls[code] += 1
        return self.step if left and self.calls[code] <= CALLS else None

    def step(self, frame: FrameType, event: str, argument: Any) -> Any:
        left = self.left[frame.f_code]
        if frame.f_lineno in left:
            left.discard(frame.f_lineno)
            self.new += 1
        return self.step

    def note_end(self, trace: TracebackType | None) -> None:
        """Count an error that no input raised at the same place, called from the same places."""
        end = tuple((frame.f_code, line) for frame, line in walk_tb(trace) if is_reader(frame.f_code))
        if end not in self.ends:
            self.ends.add(end)
            self.new += 1


def list_lines(code: CodeType) -> set[int]:
    """Return the numbers of a function's lines, none of a function outside the readers."""
    return {line for _, _, line in code.co_lines() if line is not None} if is_reader(code) else set()


def is_reader(code: CodeType) -> bool:
    return code.co_filename.startswith(READERS)
