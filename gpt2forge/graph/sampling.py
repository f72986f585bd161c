"""Chooses the next token from the logits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt2forge.errors import UserError

Array = np.ndarray[Any, Any]
Sampler = Callable[[Array], int]
"""Takes the logits (V,) of one position and gives a token."""

FIRST_LOOK = 1024  # likeliest tokens, which nearly always hold the share that top-p asks for; sorting all takes longer


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
        place = np.searchsorted(np.cumsum(shares), generator.random() * shares.sum(), side="right")
        return int(tokens[min(place, len(tokens) - 1)])

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


def find_top(values: Array, count: int) -> Array:
    """The indices of the `count` largest values, in ascending order."""
    if count >= len(values):
        return np.arange(len(values))
    return np.sort(np.argpartition(values, -count)[-count:])


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
