"""An axis of a chart: from values to pixels, with ticks at round numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

STEPS = (1, 2, 2.5, 5, 10)
MOST_TICKS = 6
LEAST, LARGEST = 1e-30, 1e30  # that an axis shows; an edited report may have any number
WIDE = 20  # times the least value; a wider range has a logarithmic axis


@dataclass(frozen=True)
class Axis:
    """An axis from `low` at pixel `start` to `high` at pixel `end`, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return the pixel of a value; a value that a logarithmic axis cannot show is at its start."""
        read: Callable[[float], float] = math.log if self.is_log else float
        value = min(max(value, self.low), self.high)
        share = (read(value) - read(self.low)) / (read(self.high) - read(self.low))
        return self.start + share * (self.end - self.start)


def make_axis(values: Sequence[float], start: float, end: float, may_be_log: bool = False) -> Axis:
    """Make an axis for values; it begins at 0 unless it is logarithmic."""
    positive = [min(max(value, LEAST), LARGEST) for value in values if value > 0]
    if may_be_log and positive and max(positive) > WIDE * min(positive):
        return make_log_axis(positive, start, end)
    ticks = list_ticks(max(positive, default=1.0))
    return Axis(0.0, ticks[-1], start, end, ticks)


def make_log_axis(positive: Sequence[float], start: float, end: float) -> Axis:
    """Make a logarithmic axis with ticks at powers of ten, of which at most MOST_TICKS are shown."""
    first, last = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    step = math.ceil((last - first) / (MOST_TICKS - 1))
    ticks = tuple(10.0**power for power in range(first, last + step, step))
    return Axis(ticks[0], ticks[-1], start, end, ticks, is_log=True)


def list_ticks(most: float) -> tuple[float, ...]:
    """Return round numbers from 0 to at least `most`."""
    power = 10.0 ** math.floor(math.log10(most / (MOST_TICKS - 1)))
    step = next(factor * power for factor in STEPS if factor * power * (MOST_TICKS - 1) >= most)
    return tuple(number * step for number in range(math.ceil(most / step) + 1))


def format_tick(value: float) -> str:
    return f"{value:.0e}" if value and (value < 0.01 or value >= 1e5) else f"{value:g}"
