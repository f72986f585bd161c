"""Computes what a choice buys: how a result with it differs from one without it, and which differences are noise.

1. Size is exact.
2. Times: the interval of a median is the range of its rounds, that of a ratio divides the ends of two ranges. The two
   results were timed at different times, when the machine may have been faster or slower. So the interval also covers
   the ratio of their shares of PyTorch's time, which was measured in the same run as each.
3. KL: both were measured on the same windows of a text. The interval is a bootstrap of the differences of the windows,
   95 %. Positions of a window are not independent, and windows nearly are.
4. A difference whose interval holds 0 is noise.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gpt2forge.builder.measurements import Accuracy, Interval, Speed
from gpt2forge.builder.report import Report

SAMPLES = 400
EDGES = (0.025, 0.975)
SMALLEST_KL = 1e-7  # nats; float32 logits of two graphs of the same function differ by as much


@dataclass(frozen=True)
class Difference:
    """A difference and its interval, in the unit of the quantity, or as a share of the value without the choice."""

    value: float
    interval: Interval

    @property
    def is_noise(self) -> bool:
        """Return whether the true difference may be 0 (rule 4)."""
        return self.interval[0] <= 0 <= self.interval[1]

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "interval": list(self.interval), "is_noise": self.is_noise}


@dataclass(frozen=True)
class Effect:
    """What a choice buys. `size`, `token` and `prompt` are shares of the values without it, `kl` is in nats a token.

    A quantity is None if one of the results does not have it.
    """

    choice: str
    size: Difference | None
    token: Difference | None
    prompt: Difference | None
    kl: Difference | None
    refusal: str = ""

    def to_json(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in ("size", "token", "prompt", "kl")}
        numbers = {name: difference and difference.to_json() for name, difference in found.items()}
        return {"choice": self.choice, **numbers, "refusal": self.refusal}


def refuse_effect(choice: str, refusal: str) -> Effect:
    """Return the effect of a choice that could not be turned off."""
    return Effect(choice, None, None, None, None, refusal)


def compute_effect(choice: str, having: Report, lacking: Report) -> Effect:
    """Compare the report of a recipe with that of the recipe without a choice."""
    if lacking.error is not None:
        return refuse_effect(choice, lacking.error.splitlines()[0])
    ours, theirs = having.benchmark, lacking.benchmark
    return Effect(
        choice,
        size=compare_sizes(having, lacking),
        token=compare_times(list_token(ours), list_token(theirs)) if ours and theirs else None,
        prompt=compare_times(list_prompt(ours), list_prompt(theirs)) if ours and theirs else None,
        kl=compare_kl(having.verify, lacking.verify) if having.verify and lacking.verify else None,
    )


def compare_sizes(having: Report, lacking: Report) -> Difference | None:
    if not (having.bytes and lacking.bytes and lacking.bytes.package):
        return None
    change = having.bytes.package / lacking.bytes.package - 1
    return Difference(change, (change, change))


@dataclass(frozen=True)
class Timing:
    """A median time in milliseconds, the range of its rounds, and PyTorch's median in the same run."""

    median: float
    spread: Interval
    pytorch: float


def list_token(speed: Speed) -> Timing:
    return Timing(speed.token_ms, speed.spread.token_ms, speed.token_ms_reference)


def list_prompt(speed: Speed) -> Timing:
    return Timing(speed.prefill_ms, speed.spread.prefill_ms, speed.prefill_ms_reference)


def compare_times(having: Timing, lacking: Timing) -> Difference | None:
    """Return the change of a time as a share (rule 2); None for times that are 0."""
    if not (lacking.median and lacking.spread[0]):
        return None
    drift = lacking.pytorch / having.pytorch
    low, high = having.spread[0] / lacking.spread[1], having.spread[1] / lacking.spread[0]
    interval = (min(low, low * drift) - 1, max(high, high * drift) - 1)
    return Difference(having.median / lacking.median - 1, interval)


def compare_kl(having: Accuracy, lacking: Accuracy) -> Difference | None:
    """Return the difference of two divergences (rule 3); None if they were not measured on the same windows."""
    ours, theirs = having.kl_windows, lacking.kl_windows
    if having.text_digest != lacking.text_digest or not ours or len(ours) != len(theirs):
        return None
    changes = [one - other for one, other in zip(ours, theirs, strict=True)]
    value = having.kl_mean - lacking.kl_mean
    low, high = resample(changes, count_positions(having))
    return Difference(value, (min(low, value) - SMALLEST_KL, max(high, value) + SMALLEST_KL))


def count_positions(accuracy: Accuracy) -> list[int]:
    """Return the number of predicted tokens in each window: all but the last are full."""
    full = accuracy.window - 1
    return [full] * (accuracy.windows - 1) + [accuracy.positions - full * (accuracy.windows - 1)]


def resample(values: Sequence[float], weights: Sequence[int]) -> Interval:
    """Return the 95 % interval of the weighted mean of some values, from a seeded bootstrap."""
    draw, places = random.Random(0), range(len(values))
    means = []
    for _ in range(SAMPLES):
        chosen = draw.choices(places, k=len(values))
        total = sum(weights[place] for place in chosen)
        means.append(sum(values[place] * weights[place] for place in chosen) / max(total, 1))
    means.sort()
    return means[int(EDGES[0] * SAMPLES)], means[int(EDGES[1] * SAMPLES) - 1]
