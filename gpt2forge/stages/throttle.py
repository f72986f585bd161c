"""Limits how often progress is reported: not for every piece, and always at the end."""

import math
import time
from dataclasses import dataclass


@dataclass
class Throttle:
    """Decides when a report is due: at most `per_second` times a second, and when all is done."""

    per_second: float
    last: float = -math.inf

    def is_due(self, done: int, total: int) -> bool:
        now = time.monotonic()
        due = done >= total or now - self.last >= 1 / self.per_second
        if due:
            self.last = now
        return due
