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
MOST = 9  # times


class System(Protocol):
    """Something that runs a GPT-2."""

    def start(self, prompt: Array) -> int:
        """Forget what was, read the prompt (S,), give the likeliest next token."""

    def step(self, token: int) -> int:
        """Read one token on top of all before it, give the likeliest next."""


class Package:
    """A built directory as `gpt2forge generate` runs it; `capacity` tokens at most."""

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
    """Medians of one turn in milliseconds, the prompt's and the single tokens'; and what was written."""

    prefill_ms: float
    token_ms: float
    text: list[int]


def run_round(system: System, prompt: Array, new: int) -> Round:
    """Read the prompt (S,), then write `new` tokens; the first of them comes with the prompt."""
    reads: list[float] = []
    while sum(reads) < SHORT and len(reads) < MOST:  # one short read says more of the scheduler than of the system
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
    """Milliseconds, and what came of it."""
    began = time.perf_counter()
    found = act()
    return 1e3 * (time.perf_counter() - began), found
