"""Scores a text: how likely a model finds it, window by window. See `text` for the windows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.runtime.likelihood import Array, log_softmax, split_rows
from gpt2forge.runtime.text import cut_windows

Read = Callable[[Array], Array]
"""Takes tokens (B, S) without a past and returns their logits (B, S, V)."""

ROWS = 64  # positions whose logits are in float64 at the same time


@dataclass(frozen=True)
class Score:
    """The likelihood of a text of `tokens` tokens, of which `scored` were predicted.

    `log_probability` is in nats, summed over the scored tokens.
    """

    tokens: int
    scored: int
    log_probability: float

    @property
    def perplexity(self) -> float:
        """Return the number of equally likely tokens that would give the same mean log-probability."""
        mean = self.log_probability / self.scored
        return math.exp(-mean) if mean > -700 else math.inf


def score_tokens(read: Read, tokens: Sequence[int], context: int) -> Score:
    """Score tokens with a model that takes `context` of them at once. Raises UserError for fewer than two tokens."""
    if len(tokens) < 2:
        raise UserError(
            f"a text of {len(tokens)} tokens cannot be scored: its first token is not predicted; "
            "give a text of two or more tokens"
        )
    found = [score_window(read, np.array(window, np.int64)) for window in cut_windows(tokens, context)]
    predicted = np.concatenate(found)
    return Score(len(tokens), len(predicted), float(predicted.sum()))


def score_window(read: Read, window: Array) -> Array:
    """Return the float64 log-probabilities (S - 1,) of all tokens of a window (S,) but the first."""
    logits = read(window[None])[0, :-1]  # (S - 1, V)
    pairs = [(logits[span], window[1:][span]) for span in split_rows(len(logits), ROWS)]
    return np.concatenate([log_softmax(rows)[np.arange(len(rows)), targets] for rows, targets in pairs])
