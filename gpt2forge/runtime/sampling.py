"""Chooses the next token of each text from the logits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt2forge.runtime.draw import check_choice, draw_tokens
from gpt2forge.runtime.filters import keep_min_p, keep_top_k, keep_top_p, keep_typical, scale_temperature

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Sampling:
    """Settings that choose the next token; the temperature 0 always takes the likeliest.

    Otherwise a token is drawn from those that all filters keep: the `top_k` likeliest (0: all), the likeliest that sum
    to `top_p`, those at least `min_p` times as likely as the likeliest, and the most typical that sum to `typical_p`.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0


GREEDY = Sampling(temperature=0.0)


def choose_tokens(logits: Array, sampling: Sampling, generators: Sequence[np.random.Generator]) -> Array:
    """Choose a token (B,) for each row of logits (B, V), with a source of random numbers for each row.

    A row's token does not depend on the other rows. Raises UserError if a row allows no token.
    """
    check_choice(logits)
    if sampling.temperature == 0:
        return np.asarray(logits.argmax(axis=1))
    fractions = np.array([generator.random() for generator in generators])
    return draw_tokens(filter_logits(logits, sampling), fractions)


def filter_logits(logits: Array, sampling: Sampling) -> Array:
    """Apply the temperature and then each filter to logits (B, V), in the order of transformers."""
    kept = scale_temperature(logits, sampling.temperature)
    if sampling.top_k > 0:
        kept = keep_top_k(kept, sampling.top_k)
    if sampling.top_p < 1:
        kept = keep_top_p(kept, sampling.top_p)
    if sampling.min_p > 0:
        kept = keep_min_p(kept, sampling.min_p)
    if sampling.typical_p < 1:
        kept = keep_typical(kept, sampling.typical_p)
    return kept
