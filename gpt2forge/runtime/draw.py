"""Draws a token for each row of logits, in proportion to its probability."""

from typing import Any

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.runtime.filters import weigh

Array = np.ndarray[Any, Any]

CHUNK = 32  # weights in each group of the first, coarse search


def draw_tokens(logits: Array, fractions: Array) -> Array:
    """Return a token (B,) for each row of logits (B, V), by a random number in [0, 1) for each, (B,)."""
    return find_quantiles(weigh(logits), fractions)


def find_quantiles(weights: Array, fractions: Array) -> Array:
    """Return the index (B,) where the running sum of each row exceeds its fraction (B,) of the row's total.

    The search goes by chunks first, which is faster than one running sum over all weights (B, V).
    """
    size = weights.shape[1]
    starts = np.arange(0, size, CHUNK)
    sums = np.cumsum(np.add.reduceat(weights, starts, axis=1, dtype=np.float64), axis=1)  # (B, V / CHUNK)
    target = fractions[:, None] * sums[:, -1:]  # (B, 1)
    chunk = np.minimum((sums <= target).sum(axis=1, keepdims=True), len(starts) - 1)  # (B, 1)
    before = np.where(chunk > 0, np.take_along_axis(sums, np.maximum(chunk - 1, 0), axis=1), 0.0)
    places = np.minimum(starts[chunk] + np.arange(CHUNK), size - 1)  # (B, CHUNK)
    inside = before + np.cumsum(np.take_along_axis(weights, places, axis=1), axis=1, dtype=np.float64)
    found = np.minimum((inside <= target).sum(axis=1), CHUNK - 1)
    return find_positive(weights, np.take_along_axis(places, found[:, None], axis=1)[:, 0])


def find_positive(weights: Array, places: Array) -> Array:
    """Return these places (B,), each moved to the row's largest weight if rounding led to a weight of 0."""
    chosen = np.take_along_axis(weights, places[:, None], axis=1)[:, 0]
    return np.where(chosen > 0, places, weights.argmax(axis=1)) if (chosen <= 0).any() else places


def check_choice(logits: Array) -> None:
    """Raise UserError if a row (V,) of logits (B, V) allows no token, or holds a value that is not a number."""
    largest = logits.max(axis=1)
    if np.isnan(largest).any():
        raise UserError("the model's logits are not numbers; build the package again from sound weights")
    if np.isneginf(largest).any():
        raise UserError("no token is left to choose; forbid fewer of them")
