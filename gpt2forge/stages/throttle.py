"""Limits how often progress is reported."""

import math
import time
from dataclasses import dataclass


@dataclass
class Throttle:
    """Decides when a progress report is due: at most `per_second` times a second, and always at the end."""

    per_second: float
    last: float = -math.inf

    def is_due(self, done: int, total: int) -> bool:
        """Return whether to report now that `done` of `total` units are done."""
        now = time.monotonic()
        due = done >= total or now - self.last >= 1 / self.per_second
        if due:
            self.last = now
        return due
