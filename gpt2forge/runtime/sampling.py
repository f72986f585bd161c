"""Chooses the next token from the logits."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from gpt2forge.errors import UserError, check_argument

Array = np.ndarray[Any, Any]
Sampler = Callable[[Array], int]
"""Takes the logits (V,) of one position and returns a token."""

FIRST_TRY = 1024  # likeliest tokens; they nearly always reach `top_p`, and sorting all tokens takes longer
CHUNK = 32  # logits in each group of the first, coarse search


@dataclass(frozen=True)
class Sampling:
    """Settings that choose the next token; equal seeds make equal choices.

    `temperature` 0 always chooses the likeliest token. Otherwise a token is drawn from the `top_k` likeliest (0: all),
    and of those from the likeliest whose probabilities sum to `top_p`.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in (("temperature", Real), ("top_k", Integral), ("top_p", Real), ("seed", Integral)):
            check_argument(name, getattr(self, name), kind)
        if not 0 <= self.temperature < float("inf"):
            raise UserError(f"temperature is {self.temperature}; it must be 0 or more")
        if self.top_k < 0:
            raise UserError(f"top-k is {self.top_k}; it must be 0 (all tokens) or more")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top-p is {self.top_p}; it must be above 0 and at most 1")
        if self.seed < 0:
            raise UserError(f"seed is {self.seed}; it must be 0 or more")


def make_sampler(sampling: Sampling) -> Sampler:
    """Return a sampler whose random numbers start from the seed."""
    if sampling.temperature == 0:
        return choose_likeliest
    generator = np.random.default_rng(sampling.seed)

    def choose(logits: Array) -> int:
        tokens, weights = weigh_tokens(logits, sampling)
        return int(tokens[find_quantile(weights, generator.random())])

    return choose


def choose_likeliest(logits: Array) -> int:
    return int(logits.argmax())


def weigh_tokens(logits: Array, sampling: Sampling) -> tuple[Array, Array]:
    """Return the tokens that may be chosen and their weights, proportional to their probabilities.

    Applies temperature, then top-k, then top-p, as transformers does. See The Curious Case of Neural Text Degeneration,
    https://arxiv.org/abs/1904.09751, section 3.
    """
    scaled = (logits - logits.max()).astype(np.float64) / sampling.temperature  # (V,)
    tokens = find_top(scaled, sampling.top_k) if sampling.top_k else np.arange(len(scaled))
    weights = np.exp(scaled[tokens])
    if sampling.top_p < 1:
        return cut_tail(tokens, weights, sampling.top_p)
    return tokens, weights


def find_quantile(weights: Array, fraction: float) -> int:
    """Return the index where the running sum of `weights` exceeds this fraction of their total.

    The search goes by chunks first, which is faster than one running sum over all weights.
    """
    starts = np.arange(0, len(weights), CHUNK)
    sums = np.cumsum(np.add.reduceat(weights, starts))
    target = fraction * sums[-1]
    chunk = min(int(np.searchsorted(sums, target, side="right")), len(starts) - 1)
    inside = np.cumsum(weights[starts[chunk] : starts[chunk] + CHUNK])
    place = np.searchsorted(inside, target - (sums[chunk - 1] if chunk else 0.0), side="right")
    return int(starts[chunk]) + min(int(place), len(inside) - 1)


def find_top(values: Array, count: int) -> Array:
    """Return the indices of the `count` largest values, in ascending order.

    Only values that reach the `count`-th largest of the chunks' maxima can be among them, which leaves few to search.
    """
    if count >= len(values):
        return np.arange(len(values))
    largest = np.maximum.reduceat(values, np.arange(0, len(values), CHUNK))
    near = np.arange(len(values))
    if count <= len(largest):
        near = np.flatnonzero(values >= np.partition(largest, -count)[-count])
    return near[np.sort(np.argpartition(values[near], len(near) - count)[len(near) - count :])]


def cut_tail(tokens: Array, weights: Array, top_p: float) -> tuple[Array, Array]:
    """Return the fewest tokens whose weights sum to `top_p` of the total, likeliest first, and their weights."""
    wanted = top_p * weights.sum()
    for count in (FIRST_TRY, len(tokens)):
        top = find_top(weights, count)
        order = top[np.argsort(-weights[top], kind="stable")]
        reached = np.cumsum(weights[order])
        if reached[-1] >= wanted or len(order) == len(tokens):
            break
    kept = order[: int(np.searchsorted(reached, wanted)) + 1]
    return tokens[kept], weights[kept]
