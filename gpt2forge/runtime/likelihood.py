"""Logits as log-probabilities, in float64, so that a sum over a vocabulary loses nothing."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def log_softmax(logits: Array) -> Array:
    """(N, V) logits of any float type to (N, V) float64 log-probabilities."""
    wide = logits.astype(np.float64)
    return wide - log_sum_exp(wide)[:, None]


def log_sum_exp(logits: Array) -> Array:
    """(N, V) float64 to (N,): the logarithm of the sum of the exponentials, whatever their size."""
    largest = logits.max(axis=1)
    return np.asarray(largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1)))


def split_rows(count: int, most: int) -> list[slice]:
    """`count` rows in pieces of at most `most`: float64 rows of a whole vocabulary are large."""
    return [slice(start, start + most) for start in range(0, count, most)]
