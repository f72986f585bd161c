"""Detects disturbances of a measurement: other programs that use the processors, and rounds that differ."""

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psutil

BUSY = 0.1  # processors that other programs may use without a remark
UNEVEN = 0.3  # (largest - smallest) / median, without the worst round, that is accepted without a remark


@dataclass
class OtherPrograms:
    """The processor time that other programs have used since this was made. `pids` are the measured processes."""

    pids: list[int]
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.whole, self.own = read_whole(), self.read_own()

    def read_own(self) -> float:
        times = [psutil.Process(pid).cpu_times() for pid in (os.getpid(), *self.pids)]
        return sum(each.user + each.system for each in times)

    def measure(self) -> float:
        """Return how many processors other programs used, on average."""
        used = read_whole() - self.whole - (self.read_own() - self.own)
        return max(0.0, used / (time.monotonic() - self.began))


def read_whole() -> float:
    """Return the seconds that all processors worked, including those that a virtual machine's host took (steal)."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - sum(getattr(times, name, 0.0) for name in ("iowait", "guest", "guest_nice")))


def find_noise(others: float, samples: Mapping[str, Sequence[float]]) -> list[str]:
    """Return a sentence for each disturbance. One round may stand out, because the median ignores it."""
    found = [f"other programs used {others:.1f} processors during the measurement"] if others > BUSY else []
    for name, values in samples.items():
        median = statistics.median(values)
        calm = sorted(values, key=lambda value: abs(value - median))[:-1]
        share = (max(calm) - min(calm)) / median
        if share > UNEVEN:
            found.append(f"rounds of `{name}` differ by {share:.0%}")
    return found
