"""Chooses the next token from the logits."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from gpt2forge.errors import UserError, check_argument

Array = np.ndarray[Any, Any]
Sampler = Callable[[Array], int]
"""Takes the logits (V,) of one position and gives a token."""

FIRST_LOOK = 1024  # likeliest tokens, which nearly always hold the share that top-p asks for; sorting all takes longer
CHUNK = 32  # logits that are looked at together first


@dataclass(frozen=True)
class Sampling:
    """How to choose; equal seeds give equal choices.

    `temperature` 0: always the likeliest. Else only the `top_k` likeliest count (0: all), and of those the likeliest
    that together have the share `top_p`.
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
    """A sampler that starts from the seed."""
    if sampling.temperature == 0:
        return choose_likeliest
    generator = np.random.default_rng(sampling.seed)

    def choose(logits: Array) -> int:
        tokens, shares = weigh(logits, sampling)
        return int(tokens[find_place(shares, generator.random())])

    return choose


def choose_likeliest(logits: Array) -> int:
    return int(logits.argmax())


def weigh(logits: Array, sampling: Sampling) -> tuple[Array, Array]:
    """The tokens that may be chosen and their shares, which need not add up to 1.

    Temperature, then top-k, then top-p, as transformers does: The Curious Case of Neural Text Degeneration,
    https://arxiv.org/abs/1904.09751, section 3.
    """
    scaled = (logits - logits.max()).astype(np.float64) / sampling.temperature  # (V,)
    tokens = find_top(scaled, sampling.top_k) if sampling.top_k else np.arange(len(scaled))
    shares = np.exp(scaled[tokens])
    if sampling.top_p < 1:
        return cut_tail(tokens, shares, sampling.top_p)
    return tokens, shares


def find_place(shares: Array, part: float) -> int:
    """The index where the running sum of `shares` passes this part of the whole; by chunks first, which is faster."""
    starts = np.arange(0, len(shares), CHUNK)
    sums = np.cumsum(np.add.reduceat(shares, starts))
    target = part * sums[-1]
    chunk = min(int(np.searchsorted(sums, target, side="right")), len(starts) - 1)
    inside = np.cumsum(shares[starts[chunk] : starts[chunk] + CHUNK])
    place = np.searchsorted(inside, target - (sums[chunk - 1] if chunk else 0.0), side="right")
    return int(starts[chunk]) + min(int(place), len(inside) - 1)


def find_top(values: Array, count: int) -> Array:
    """The indices of the `count` largest values, in ascending order.

    Only those count that reach the `count`-th largest of the chunks' maxima: few are left to look at.
    """
    if count >= len(values):
        return np.arange(len(values))
    largest = np.maximum.reduceat(values, np.arange(0, len(values), CHUNK))
    near = np.arange(len(values))
    if count <= len(largest):
        near = np.flatnonzero(values >= np.partition(largest, -count)[-count])
    return near[np.sort(np.argpartition(values[near], len(near) - count)[len(near) - count :])]


def cut_tail(tokens: Array, shares: Array, top_p: float) -> tuple[Array, Array]:
    """The fewest tokens whose shares together reach `top_p` of the whole, likeliest first."""
    wanted = top_p * shares.sum()
    for count in (FIRST_LOOK, len(tokens)):
        top = find_top(shares, count)
        order = top[np.argsort(-shares[top], kind="stable")]
        reached = np.cumsum(shares[order])
        if reached[-1] >= wanted or len(order) == len(tokens):
            break
    kept = order[: int(np.searchsorted(reached, wanted)) + 1]
    return tokens[kept], shares[kept]
