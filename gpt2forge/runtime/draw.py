"""Draws a token for each row of logits, in proportion to its probability."""

from typing import Any

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.runtime.filters import weigh

Array = np.ndarray[Any, Any]

CHUNK = 256  # weights in each group of the first, coarse search


def draw_tokens(logits: Array, fractions: Array) -> Array:
    """Return a token (B,) for each row of logits (B, V), by a random number in [0, 1) for each, (B,)."""
    pairs = zip(weigh(logits), fractions.tolist(), strict=True)
    return np.array([find_quantile(weights, fraction) for weights, fraction in pairs], np.int64)


def find_quantile(weights: Array, fraction: float) -> int:
    """Return the index where the running sum of weights (V,) exceeds this fraction of their total.

    The search goes by chunks first, which is faster than one running sum. A weight of 0 is never found.
    """
    starts = np.arange(0, len(weights), CHUNK)
    sums = np.cumsum(np.add.reduceat(weights, starts, dtype=np.float64))
    target = fraction * sums[-1]
    chunk = int(np.searchsorted(sums, target, side="right"))
    if chunk == len(starts):  # by rounding
        return int(weights.argmax())
    inside = weights[starts[chunk] : starts[chunk] + CHUNK]
    places = np.flatnonzero(inside)
    reached = np.cumsum(inside[places], dtype=np.float64)
    found = int(np.searchsorted(reached, target - (sums[chunk - 1] if chunk else 0.0), side="right"))
    return int(starts[chunk] + places[min(found, len(places) - 1)])


def check_choice(logits: Array) -> None:
    """Raise UserError if a row (V,) of logits (B, V) allows no token, or its largest value is not a finite number."""
    largest = logits.max(axis=1)
    if np.isfinite(largest).all():
        return
    if np.isneginf(largest).any():
        raise UserError("no token is left to choose; forbid fewer of them")
    raise UserError("the model's logits are not finite numbers; build the package again from sound weights")
