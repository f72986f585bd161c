"""Ranks the tokens of a row from which the next one is drawn.

A step of a small model takes as long as a few dozen calls of numpy. So nothing is computed twice, and only tokens that
some filter may keep are sorted.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt2forge.runtime.filters import add_equal, count_min_p, count_top_p, keep_typical
from gpt2forge.runtime.sampling import Sampling

Array = np.ndarray[Any, Any]

COLDEST = 1e-30
"""The lowest temperature that divides; a lower one has no other effect, and float32 would round it to 0."""
FEW = 1024  # weights that are added up in float32


@dataclass
class Candidates:
    """The first `count` of some tokens, likeliest first, with weights in proportion to their probabilities.

    tokens: (C,), in the order of the vocabulary.
    order: (C,), the places in `tokens`, likeliest first.
    weights: (C,), likeliest first.
    reached: (C,), their running sums.
    """

    tokens: Array
    order: Array
    weights: Array
    reached: Array
    count: int

    def find_quantile(self, fraction: float) -> int:
        """Return the token where the running sum of weights exceeds this fraction of their total."""
        last = self.count - 1
        place = int(self.reached.searchsorted(fraction * float(self.reached[last]), side="right"))
        return int(self.tokens[self.order[min(place, last)]])

    def cut(self, count: int) -> None:
        """Keep the first tokens."""
        self.weights, self.count = self.weights[:count], count


def find_candidates(logits: Array, largest: float, sampling: Sampling) -> Candidates:
    """Return the tokens that all filters keep of a row of logits (V,) with this maximum, in the order of transformers.

    Each filter sees only what the one before it keeps.
    """
    weights = weigh(logits, largest, sampling.temperature)
    found, total = rank_likeliest(weights, sampling)
    if sampling.top_p < 1:
        found.cut(count_top_p(found.weights, found.reached[: found.count], sampling.top_p * total))
    if sampling.min_p > 0:
        found.cut(count_min_p(found.weights, sampling.min_p))
    if sampling.typical_p < 1:
        is_kept = keep_typical(found.weights, sampling.typical_p)
        return gather(found.tokens, found.order[: found.count][is_kept], found.weights[is_kept])
    return found


def weigh(logits: Array, largest: float, temperature: float) -> Array:
    """Return float32 weights (V,) at a temperature; the largest is 1, so that none overflows."""
    weights: Array = logits - largest
    weights *= 1 / max(temperature, COLDEST)
    return np.exp(weights, out=weights)


def rank_likeliest(weights: Array, sampling: Sampling) -> tuple[Candidates, float]:
    """Return the tokens that `top_k` keeps, without some that other filters leave out, and the total of the former."""
    size = len(weights)
    if 0 < sampling.top_k < size:
        found = rank_above(weights, float(np.partition(weights, size - sampling.top_k)[size - sampling.top_k]))
        found.cut(add_equal(found.weights, sampling.top_k))
        return found, float(found.reached[found.count - 1])
    total = float(np.add.reduce(weights))
    least = (1 - sampling.top_p) * total / size  # those below are together no more than what `top_p` leaves out
    return rank_above(weights, max(least, sampling.min_p)), total


def rank_above(weights: Array, least: float) -> Candidates:
    """Return the tokens whose weights (V,) are at least `least`."""
    tokens = (weights >= least).nonzero()[0]
    found = weights[tokens]
    order = found.argsort()[::-1]
    return gather(tokens, order, found[order])


def gather(tokens: Array, order: Array, weights: Array) -> Candidates:
    """Return candidates with their running sums."""
    count = len(weights)
    reached = weights.cumsum() if count <= FEW else weights.cumsum(dtype=np.float64)
    return Candidates(tokens, order, weights, reached, count)
