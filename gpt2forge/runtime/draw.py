"""Chooses the next token of each text from the logits."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.runtime.candidates import find_candidates, weigh
from gpt2forge.runtime.sampling import Sampling

Array = np.ndarray[Any, Any]

CHUNK = 256  # weights in each group of the first, coarse search


def choose_tokens(logits: Array, sampling: Sampling, generators: Sequence[np.random.Generator]) -> list[int]:
    """Choose a token for each row of logits (B, V), with a source of random numbers for each row.

    A row's token does not depend on the other rows. Raises UserError if a row allows no token.
    """
    likeliest: list[int] = logits.argmax(axis=1).tolist()
    for row, token in enumerate(likeliest):
        check_choice(float(logits[row, token]))
    if sampling.temperature == 0:
        return likeliest
    rows = zip(logits, likeliest, generators, strict=True)
    return [draw_token(row, float(row[token]), sampling, each) for row, token, each in rows]


def draw_token(logits: Array, largest: float, sampling: Sampling, generator: np.random.Generator) -> int:
    """Draw a token by its logits (V,) with this maximum."""
    fraction = generator.random()
    if sampling.are_filtered:
        return find_candidates(logits, largest, sampling).find_quantile(fraction)
    return find_quantile(weigh(logits, largest, sampling.temperature), fraction)


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


def check_choice(largest: float) -> None:
    """Raise UserError if the largest logit of a row is not finite: the row allows no token, or the model is broken."""
    if isfinite(largest):
        return
    if largest < 0:
        raise UserError("no token is left to choose; forbid fewer of them")
    raise UserError("the model's logits are not finite numbers; build the package again from sound weights")
