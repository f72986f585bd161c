"""Converts logits to log-probabilities, in float64 so that sums over a vocabulary keep their precision."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def log_softmax(logits: Array) -> Array:
    """Convert logits (N, V) of any float type to float64 log-probabilities (N, V)."""
    wide = logits.astype(np.float64)
    return wide - log_sum_exp(wide)[:, None]


def log_sum_exp(logits: Array) -> Array:
    """Return the logarithm (N,) of the sum of the exponentials of float64 logits (N, V), without overflow."""
    largest = logits.max(axis=1)
    return np.asarray(largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1)))


def split_rows(count: int, most: int) -> list[slice]:
    """Split `count` rows into slices of at most `most`, because float64 rows of a whole vocabulary are large."""
    return [slice(start, start + most) for start in range(0, count, most)]
