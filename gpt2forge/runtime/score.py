"""How likely a model finds a text, window by window: see `windows`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.runtime.likelihood import Array, log_softmax, split_rows
from gpt2forge.runtime.text import cut_windows

Read = Callable[[Array], Array]
"""Takes tokens (B, S) that follow nothing and gives their logits (B, S, V)."""

ROWS = 64  # positions whose logits are held in float64 at a time


@dataclass(frozen=True)
class Score:
    """`log_probability` in nats, summed over the `scored` tokens, which are those of `tokens` that were predicted."""

    tokens: int
    scored: int
    log_probability: float

    @property
    def perplexity(self) -> float:
        """What a model that finds this many tokens equally likely each time would have had."""
        mean = self.log_probability / self.scored
        return math.exp(-mean) if mean > -700 else math.inf


def score_tokens(read: Read, tokens: Sequence[int], context: int) -> Score:
    """Score tokens with a model that takes `context` of them at once; raises UserError for fewer than two."""
    if len(tokens) < 2:
        message = f"the text's {len(tokens)} tokens cannot be scored: the first is only read"
        raise UserError(f"{message}; give a text of two or more")
    found = [score_window(read, np.array(window, np.int64)) for window in cut_windows(tokens, context)]
    predicted = np.concatenate(found)
    return Score(len(tokens), len(predicted), float(predicted.sum()))


def score_window(read: Read, window: Array) -> Array:
    """The log-probabilities (S - 1,) of a window's tokens (S,) but the first, float64."""
    logits = read(window[None])[0, :-1]  # (S - 1, V)
    pairs = [(logits[span], window[1:][span]) for span in split_rows(len(logits), ROWS)]
    return np.concatenate([log_softmax(rows)[np.arange(len(rows)), targets] for rows, targets in pairs])
