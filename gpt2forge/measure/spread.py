"""Samples of one quantity in a few numbers."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Spread:
    """The median of samples, the least and the largest."""

    median: float
    least: float
    largest: float

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def summarize(samples: Sequence[float]) -> Spread:
    return Spread(statistics.median(samples), min(samples), max(samples))
