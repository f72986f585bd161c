"""Keeps the tokens from which the next one is drawn.

Each function takes weights (C,), largest first, in proportion to the probabilities of tokens, and returns how many of
the first stay; `keep_typical` returns which. At least one token stays. Tokens with equal weights stay or go together,
so that the order of the vocabulary decides nothing.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def count_top_p(weights: Array, reached: Array, least: float) -> int:
    """Count the fewest likeliest tokens whose weights sum to `least`, by the running sums (C,) of the weights.

    The Curious Case of Neural Text Degeneration, https://arxiv.org/abs/1904.09751, section 3.1.
    """
    return add_equal(weights, min(int(reached.searchsorted(least)) + 1, len(weights)))


def count_min_p(weights: Array, share: float) -> int:
    """Count the tokens that are at least `share` times as likely as the likeliest one.

    Turning Up the Heat: Min-p Sampling, https://arxiv.org/abs/2407.01082, section 3.
    """
    return int(np.count_nonzero(weights >= share * weights[0]))


def add_equal(weights: Array, count: int) -> int:
    """Return a count that includes the weights equal to the last of the first `count`."""
    while count < len(weights) and weights[count] == weights[count - 1]:
        count += 1
    return count


def keep_typical(weights: Array, share: float) -> Array:
    """Keep the tokens whose information is nearest to the entropy of all, until they sum to at least `share`.

    Locally Typical Sampling, https://arxiv.org/abs/2202.00666, section 4.
    """
    shares = weights.astype(np.float64)
    shares /= shares.sum()
    information = -np.log(np.maximum(shares, np.finfo(np.float64).tiny))  # nats
    distance = np.where(shares > 0, np.abs(information - (shares * information).sum()), np.inf)
    order = np.argsort(distance)
    last = min(int((np.cumsum(shares[order]) < share).sum()), len(shares) - 1)
    return np.asarray(distance <= distance[order[last]])


def find_top(values: Array, count: int) -> Array:
    """Return the indices of the `count` largest values (N,), largest first."""
    count = min(count, len(values))
    top = np.argpartition(values, len(values) - count)[len(values) - count :]
    return np.asarray(top[np.argsort(-values[top], kind="stable")])
