"""Measures how fast this machine reads memory: the best of several loops that read every byte of a large buffer."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from gpt2forge.measure.spread import summarize

COLUMNS = 4096
ROWS = 65_536  # 1 GiB of float32


@dataclass
class Bandwidth:
    """A buffer of float32 and the loops that read it; samples are in GB/s (10^9 bytes a second)."""

    rows: int = ROWS
    samples: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.buffer = torch.ones(self.rows, COLUMNS)
        self.vector = torch.ones(COLUMNS)

    @property
    def loops(self) -> dict[str, Callable[[], object]]:
        return {
            "matrix-vector product, float32 (torch)": lambda: torch.mv(self.buffer, self.vector),
            "sum, float32 (torch)": self.buffer.sum,
            "maximum, float32 (torch)": self.buffer.max,
            "sum, int64 (torch)": self.buffer.view(torch.int64).sum,
        }

    def sample(self) -> float:
        """Read the buffer once with each loop. Return the best loop's GB/s."""
        return max(self.read(name) for name in self.loops)

    def sample_fastest(self) -> float:
        """Read the buffer once with the loop that has been the fastest so far, which is quick. Return its GB/s."""
        return self.read(max(self.samples, key=lambda name: statistics.median(self.samples[name])))

    def to_json(self) -> dict[str, dict[str, float]]:
        """Return the spread of each loop's samples."""
        return {name: summarize(speeds).to_json() for name, speeds in self.samples.items()}

    def read(self, name: str) -> float:
        began = time.perf_counter()
        self.loops[name]()
        speed = self.buffer.numel() * self.buffer.element_size() / (time.perf_counter() - began) / 1e9
        self.samples.setdefault(name, []).append(speed)
        return speed
