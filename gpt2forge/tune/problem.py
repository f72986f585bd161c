"""What the solver of `tune` is asked: a quantity to minimize, within limits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from gpt2forge.tune.choice import Choice

Aim = Literal["kl", "cost"]


@dataclass(frozen=True)
class Problem:
    """What to minimize, the limits on the sums of `kl` and `bytes` (None: no limit), and choices that are excluded."""

    aim: Aim
    most_kl: float | None = None
    most_bytes: float | None = None
    without: Sequence[Choice] = field(default=())
