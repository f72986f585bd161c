"""Collects the tokens of a row from which the next one is drawn, with their weights."""

from typing import Any, NamedTuple

import numpy as np

from gpt2forge.runtime.filters import count_min_p, count_top_k, count_top_p, keep_typical
from gpt2forge.runtime.sampling import Sampling

Array = np.ndarray[Any, Any]

COLDEST = 1e-30
"""The lowest temperature that divides; a lower one has no other effect, and float32 would round it to 0."""


class Candidates(NamedTuple):
    """Tokens (C,) and their weights (C,), in proportion to their probabilities; `tokens` None means all, in order."""

    tokens: Array | None
    weights: Array


def find_candidates(logits: Array, largest: float, sampling: Sampling) -> Candidates:
    """Return the tokens that all filters keep of a row of logits (V,) with this maximum, in the order of transformers.

    Each filter sees only what the one before it keeps.
    """
    weights = weigh(logits, largest, sampling.temperature)
    if not sampling.are_filtered:
        return Candidates(None, weights)
    tokens, weights, total = sort_likeliest(weights, sampling)
    if sampling.top_p < 1:
        count = count_top_p(weights, sampling.top_p, total)
        tokens, weights = tokens[:count], weights[:count]
    if sampling.min_p > 0:
        count = count_min_p(weights, sampling.min_p)
        tokens, weights = tokens[:count], weights[:count]
    if sampling.typical_p < 1:
        is_kept = keep_typical(weights, sampling.typical_p)
        tokens, weights = tokens[is_kept], weights[is_kept]
    return Candidates(tokens, weights)


def weigh(logits: Array, largest: float, temperature: float) -> Array:
    """Return float32 weights (V,) at a temperature; the largest is 1, so that none overflows."""
    weights: Array = logits - largest
    weights *= 1 / max(temperature, COLDEST)
    return np.exp(weights, out=weights)


def sort_likeliest(weights: Array, sampling: Sampling) -> tuple[Array, Array, float]:
    """Return tokens (C,), largest weight first, those weights, and the total of which `top_p` is a share.

    Tokens that the filters leave out in any case are not sorted.
    """
    size = len(weights)
    if 0 < sampling.top_k < size:
        tokens, found = sort_above(weights, float(np.partition(weights, size - sampling.top_k)[size - sampling.top_k]))
        count = count_top_k(found, sampling.top_k)
        return tokens[:count], found[:count], float(found[:count].sum(dtype=np.float64))
    total = float(np.add.reduce(weights))
    least = (1 - sampling.top_p) * total / size  # those below are together no more than what `top_p` leaves out
    return *sort_above(weights, max(least, sampling.min_p)), total


def sort_above(weights: Array, least: float) -> tuple[Array, Array]:
    """Return the tokens whose weights are at least `least`, and those weights, largest first."""
    tokens = (weights >= least).nonzero()[0]
    found = weights[tokens]
    order = found.argsort()[::-1]
    return tokens[order], found[order]
