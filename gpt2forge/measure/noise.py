"""What disturbs a measurement: other programs that use the processors, and rounds that differ."""

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psutil

BUSY = 0.1  # processors that others use, above which it is said
UNEVEN = 0.3  # (largest - least) / median of all rounds but the one farthest off, above which it is said


@dataclass
class Others:
    """How much processor time others used since this was made. `pids`: the processes that are measured."""

    pids: list[int]
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.whole, self.own = read_whole(), self.read_own()

    def read_own(self) -> float:
        times = [psutil.Process(pid).cpu_times() for pid in (os.getpid(), *self.pids)]
        return sum(each.user + each.system for each in times)

    def measure(self) -> float:
        """How many processors others used, on average."""
        used = read_whole() - self.whole - (self.read_own() - self.own)
        return max(0.0, used / (time.monotonic() - self.began))


def read_whole() -> float:
    """Seconds for which any processor worked; also those that the host of a virtual machine took away."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - sum(getattr(times, name, 0.0) for name in ("iowait", "guest", "guest_nice")))


def find_noise(others: float, samples: Mapping[str, Sequence[float]]) -> list[str]:
    """What makes the times doubtful, a sentence each; a single round that stands out leaves the median as it is."""
    found = [f"other programs used {others:.1f} processors meanwhile"] if others > BUSY else []
    for name, values in samples.items():
        median = statistics.median(values)
        calm = sorted(values, key=lambda value: abs(value - median))[:-1]
        share = (max(calm) - min(calm)) / median
        if share > UNEVEN:
            found.append(f"rounds of `{name}` differ by {share:.0%}")
    return found
