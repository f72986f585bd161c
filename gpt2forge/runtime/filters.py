"""Keeps the tokens from which the next one is drawn. Each function takes logits (B, V) and returns new ones.

A token that is left out gets the logit -inf. At least one token of each row stays. Tokens with equal logits stay or go
together, so that the order of the vocabulary decides nothing.
"""

from math import log
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def scale_temperature(logits: Array, temperature: float) -> Array:
    """Divide by the temperature what the logits lie below the largest of their row, so that none overflows."""
    return np.asarray((logits - logits.max(axis=1, keepdims=True)) / np.float32(temperature))


def keep_top_k(logits: Array, count: int) -> Array:
    """Keep the `count` likeliest tokens.

    Hierarchical Neural Story Generation, https://arxiv.org/abs/1805.04833, section 5.4.
    """
    size = logits.shape[1]
    if count >= size:
        return logits
    least = np.partition(logits, size - count, axis=1)[:, size - count]  # (B,)
    return leave_out(logits, logits < least[:, None])


def keep_top_p(logits: Array, share: float) -> Array:
    """Keep the fewest likeliest tokens whose probabilities sum to at least `share`.

    The Curious Case of Neural Text Degeneration, https://arxiv.org/abs/1904.09751, section 3.1.
    """
    weights = weigh(logits)
    least = np.array([find_least(row, share) for row in weights], np.float32)  # (B,)
    return leave_out(logits, weights < least[:, None])


def find_least(weights: Array, share: float) -> float:
    """Return the smallest of the fewest largest weights (V,) that sum to `share` of the total.

    Weights below (1 - share) / V of the total can be left out: together they are no more than the rest. So few are
    sorted.
    """
    total = weights.sum(dtype=np.float64)
    large = weights[weights >= (1 - share) * total / len(weights)]
    ordered = np.sort(large)[::-1]
    reached = np.cumsum(ordered, dtype=np.float64)
    return float(ordered[min(int(np.searchsorted(reached, share * total)), len(ordered) - 1)])


def keep_min_p(logits: Array, share: float) -> Array:
    """Keep the tokens that are at least `share` times as likely as the likeliest one.

    Turning Up the Heat: Min-p Sampling, https://arxiv.org/abs/2407.01082, section 3.
    """
    return leave_out(logits, logits - logits.max(axis=1, keepdims=True) < np.float32(log(share)))


def keep_typical(logits: Array, share: float) -> Array:
    """Keep the tokens whose information is nearest to the entropy of the row, until they sum to at least `share`.

    Locally Typical Sampling, https://arxiv.org/abs/2202.00666, section 4.
    """
    weights = weigh(logits).astype(np.float64)
    shares = weights / weights.sum(axis=1, keepdims=True)  # (B, V)
    information = -np.log(np.maximum(shares, np.finfo(np.float64).tiny))  # nats
    entropy = (shares * information).sum(axis=1, keepdims=True)  # (B, 1)
    distance = np.where(shares > 0, np.abs(information - entropy), np.inf)
    order = np.argsort(distance, axis=1)
    reached = np.cumsum(np.take_along_axis(shares, order, axis=1), axis=1)
    last = np.minimum((reached < share).sum(axis=1, keepdims=True), logits.shape[1] - 1)  # (B, 1)
    farthest = np.take_along_axis(distance, np.take_along_axis(order, last, axis=1), axis=1)  # (B, 1)
    return leave_out(logits, distance > farthest)


def weigh(logits: Array) -> Array:
    """Return weights (B, V) in proportion to the probabilities; the largest of each row is 1."""
    return np.asarray(np.exp(logits - logits.max(axis=1, keepdims=True)))


def leave_out(logits: Array, is_out: Array) -> Array:
    """Return the logits with -inf at these places."""
    return np.where(is_out, -np.float32(np.inf), logits)


def find_top(values: Array, count: int) -> Array:
    """Return the indices of the `count` largest values (N,), largest first."""
    count = min(count, len(values))
    top = np.argpartition(values, len(values) - count)[len(values) - count :]
    return np.asarray(top[np.argsort(-values[top], kind="stable")])
