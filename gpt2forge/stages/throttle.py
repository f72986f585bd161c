"""How often progress is told: not every piece, and always the end."""

import math
import time
from dataclasses import dataclass


@dataclass
class Pace:
    """Says when it is time to tell again: at most `per_second` times, and when all is done."""

    per_second: float
    last: float = -math.inf

    def is_due(self, done: int, total: int) -> bool:
        now = time.monotonic()
        due = done >= total or now - self.last >= 1 / self.per_second
        if due:
            self.last = now
        return due
