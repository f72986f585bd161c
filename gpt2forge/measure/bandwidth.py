"""How fast this machine reads memory: the best of several loops that read every byte of a large buffer."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

COLUMNS = 4096
ROWS = 65_536  # 1 GiB of float32


@dataclass
class Bandwidth:
    """A buffer of float32 and the loops that read it; each gives GB/s (10^9 bytes a second) when sampled."""

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
        """Read the buffer once with each loop; give the best loop's GB/s."""
        size = self.buffer.numel() * self.buffer.element_size()
        best = 0.0
        for name, loop in self.loops.items():
            began = time.perf_counter()
            loop()
            self.samples.setdefault(name, []).append(size / (time.perf_counter() - began) / 1e9)
            best = max(best, self.samples[name][-1])
        return best
