"""Summarizes samples of one quantity."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Spread:
    """The median, the smallest and the largest of some samples."""

    median: float
    least: float
    largest: float

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def summarize(samples: Sequence[float]) -> Spread:
    return Spread(statistics.median(samples), min(samples), max(samples))
