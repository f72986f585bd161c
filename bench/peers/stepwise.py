"""Peers that are asked for one step after the other: tokens go in, on top of all before them, logits come out."""

import time
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Stepwise:
    """Writes the likeliest token, one after the other; what inherits says how a step is done."""

    def begin(self, batch: int, capacity: int) -> None:
        """Forget what was, and make room for `batch` texts of `capacity` tokens."""
        raise NotImplementedError

    def forward(self, ids: Array) -> Array:
        """The logits (B, V) behind the tokens (B, S)."""
        raise NotImplementedError

    def write(self, prompts: list[list[int]], new: int) -> tuple[list[list[int]], list[float]]:
        """The likeliest tokens (B, new), and the milliseconds of each step; the first is the prompts'."""
        ids, steps, times = np.array(prompts), [], []
        self.begin(len(prompts), len(prompts[0]) + new)
        while len(steps) < new:
            began = time.perf_counter()
            ids = self.forward(ids).argmax(axis=1)[:, None]
            times.append(1e3 * (time.perf_counter() - began))
            steps.append(ids)
        return np.hstack(steps).tolist(), times


def count_files(folder: Path, *endings: str) -> int:
    """Bytes of the files with these endings."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.name.endswith(endings))
