"""Tries again, after pauses, what fails because of a network or a server."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from gpt2forge.errors import UserError

Value = TypeVar("Value")

PAUSES = [0.5, 1.0, 2.0, 4.0]  # seconds before each further try
LONGEST_PAUSE = 60.0  # seconds; a server that asks for more is not waited for


class Unreachable(UserError):
    """A network or a server failed, which may pass.

    `problem` and `fix` are the two halves of the message. `wait` is the pause in seconds that the server asks for.
    `is_final`: to try again at once is of no use.
    """

    def __init__(self, problem: str, fix: str, *, wait: float = 0.0, is_final: bool = False) -> None:
        super().__init__(f"{problem}; {fix}")
        self.problem = problem
        self.wait = wait
        self.is_final = is_final or wait > LONGEST_PAUSE


def retry(
    attempt: Callable[[], Value],
    *,
    pauses: Sequence[float] = PAUSES,
    measure_progress: Callable[[], int] = lambda: 0,
) -> Value:
    """Call `attempt` until it does not raise Unreachable; raise that after the last pause.

    Where an attempt failed after it had made progress, the pauses start again.
    """
    failures = 0
    while True:
        before = measure_progress()
        try:
            return attempt()
        except Unreachable as error:
            failures = 0 if measure_progress() > before else failures
            if error.is_final or failures >= len(pauses):
                raise
            time.sleep(max(error.wait, pauses[failures]))
            failures += 1
