"""The systems that are compared: each takes a prompt, then one token after the other, greedily, with a cache."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from gpt2forge.runtime.decoder import open_decoder
from gpt2forge.runtime.likelihood import Array

SHORT = 50  # milliseconds: a prompt that is read faster is read several times in a turn
MOST = 9  # times that a prompt is read in a turn


class System(Protocol):
    """A program that runs a GPT-2."""

    def start(self, prompt: Array) -> int:
        """Forget all earlier tokens, read the prompt (S,) and return the likeliest next token."""

    def step(self, token: int) -> int:
        """Read one more token and return the likeliest next one."""


class Package:
    """A built directory as `gpt2forge generate` runs it, with room for `capacity` tokens."""

    def __init__(self, folder: Path, threads: int, capacity: int) -> None:
        self.decoder = open_decoder(folder, threads)
        self.capacity = capacity
        self.read = self.decoder.start(capacity)

    def start(self, prompt: Array) -> int:
        self.read = self.decoder.start(self.capacity)
        return int(self.read(prompt[None]).argmax())

    def step(self, token: int) -> int:
        return int(self.read(np.array([[token]], np.int64)).argmax())


@dataclass(frozen=True)
class Round:
    """The times of one turn in milliseconds, medians for the prompt and for a token, and the tokens that it wrote."""

    prefill_ms: float
    token_ms: float
    text: list[int]


def run_round(system: System, prompt: Array, new: int) -> Round:
    """Read the prompt (S,), then write `new` tokens; reading the prompt gives the first of them."""
    reads: list[float] = []
    while sum(reads) < SHORT and len(reads) < MOST:  # one short read measures the scheduler, not the system
        milliseconds, token = take_time(lambda: system.start(prompt))
        reads.append(milliseconds)
    steps: list[float] = []
    text = [token]
    while len(text) < new:
        milliseconds, token = take_time(lambda: system.step(text[-1]))
        steps.append(milliseconds)
        text.append(token)
    return Round(statistics.median(reads), statistics.median(steps), text)


def take_time(act: Callable[[], int]) -> tuple[float, int]:
    """Return the milliseconds of a call, and its result."""
    began = time.perf_counter()
    found = act()
    return 1e3 * (time.perf_counter() - began), found
