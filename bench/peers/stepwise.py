"""Peers that run one step after the other: tokens go in, on top of all before them, and logits come out."""

import time
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Stepwise:
    """A system that writes the likeliest token, one after the other; a subclass runs the steps.

    `read_bytes` are the bytes of the weights that one token has to read. `compiled_for`: what a library that was
    compiled on this machine says of the instructions that it uses.
    """

    read_bytes: int
    compiled_for: str = ""

    def begin(self, batch: int, capacity: int) -> None:
        """Forget all earlier tokens, and make room for `batch` texts of `capacity` tokens."""
        raise NotImplementedError

    def forward(self, ids: Array) -> Array:
        """Return the logits (B, V) behind the tokens (B, S)."""
        raise NotImplementedError

    def write(self, prompts: list[list[int]], new: int) -> tuple[list[list[int]], list[float]]:
        """Return the likeliest tokens (B, new), and the milliseconds of each step; the first reads the prompts."""
        ids, steps, times = np.array(prompts), list[Array](), list[float]()
        self.begin(len(prompts), len(prompts[0]) + new)
        while len(steps) < new:
            began = time.perf_counter()
            ids = self.forward(ids).argmax(axis=1)[:, None]
            times.append(1e3 * (time.perf_counter() - began))
            steps.append(ids)
        return np.hstack(steps).tolist(), times


def count_files(folder: Path, *endings: str) -> int:
    """Return the bytes of the files with these endings."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.name.endswith(endings))
