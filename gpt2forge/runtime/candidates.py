"""Ranks the tokens of a row from which the next one is drawn.

A step of a small model takes as long as a few dozen calls of numpy. So nothing is computed twice, and only tokens that
some filter may keep are sorted.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt2forge.runtime.filters import count_min_p, count_top_p, keep_typical
from gpt2forge.runtime.sampling import Sampling

Array = np.ndarray[Any, Any]

COLDEST = 1e-30
"""The lowest temperature that divides; a lower one has no other effect, and float32 would round it to 0."""
FEW = 1024  # weights that are added up in float32
LIKELY = 16  # times the weight below which no token stays


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

    def cut_to_typical(self, share: float) -> "Candidates":
        """Return those of the first `count` that are typical."""
        is_kept = keep_typical(self.weights[: self.count], share)
        order, found = self.order[: self.count][is_kept], self.weights[: self.count][is_kept]
        return Candidates(self.tokens, order, found, add_up(found), len(found))


def find_candidates(logits: Array, largest: float, sampling: Sampling) -> Candidates:
    """Return the tokens that all filters keep of a row of logits (V,) with this maximum, in the order of transformers.

    Each filter sees only what the one before it keeps.
    """
    weights = weigh(logits, largest, sampling.temperature)
    if sampling.top_k:
        ranked = rank(weights, find_top_k(weights, sampling.top_k))
        goal = sampling.top_p * float(ranked.reached[-1])
    else:
        goal = sampling.top_p * float(np.add.reduce(weights))
        ranked = rank_likely(weights, sampling, goal)
    if sampling.top_p < 1:
        ranked.count = count_top_p(ranked.weights, ranked.reached, goal)
    if sampling.min_p > 0:
        ranked.count = min(ranked.count, count_min_p(ranked.weights, sampling.min_p))
    return ranked if sampling.typical_p == 1 else ranked.cut_to_typical(sampling.typical_p)


def rank_likely(weights: Array, sampling: Sampling, goal: float) -> Candidates:
    """Rank the tokens that are left when filters leave out all that they may.

    Most rows reach `goal`, the sum of weights that `top_p` keeps, with far fewer.
    """
    least = (1 / sampling.top_p - 1) * goal / len(weights)  # the weights below are no more than `top_p` leaves out
    if least > 0:
        likely = rank(weights, (weights >= max(min(LIKELY * least, 1.0), sampling.min_p)).nonzero()[0])
        if likely.reached[-1] >= goal:
            return likely
    return rank(weights, (weights >= max(least, sampling.min_p)).nonzero()[0])


def rank(weights: Array, tokens: Array) -> Candidates:
    """Rank some tokens (C,) by weights (V,) of all; each token stays."""
    found = weights[tokens]
    order = found.argsort()[::-1]
    found = found[order]
    return Candidates(tokens, order, found, add_up(found), len(found))


def weigh(logits: Array, largest: float, temperature: float) -> Array:
    """Return float32 weights (V,) at a temperature; the largest is 1, so that none overflows."""
    weights: Array = logits - largest
    weights *= 1 / max(temperature, COLDEST)
    return np.exp(weights, out=weights)


def find_top_k(weights: Array, count: int) -> Array:
    """Return the `count` likeliest tokens, and those as likely as the last of them.

    Hierarchical Neural Story Generation, https://arxiv.org/abs/1805.04833, section 5.4.
    """
    place = max(len(weights) - count, 0)
    return np.asarray((weights >= np.partition(weights, place)[place]).nonzero()[0])


def add_up(weights: Array) -> Array:
    """Return the running sums of weights (C,)."""
    return weights.cumsum() if len(weights) <= FEW else weights.cumsum(dtype=np.float64)
