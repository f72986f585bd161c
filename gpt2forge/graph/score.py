"""How likely a model finds a text.

1. The text is cut into windows as long as the model's context, one after the other: no token is read twice.
2. The first token of a window is read and not predicted; each other one is predicted from all before it in its window.
3. The last window may be shorter; one token alone predicts nothing and is left out.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt2forge.errors import UserError

Array = np.ndarray[Any, Any]
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


def cut_windows(tokens: Sequence[int], context: int) -> list[Sequence[int]]:
    """The windows by rules 1 and 3."""
    windows = [tokens[start : start + context] for start in range(0, len(tokens), context)]
    return [window for window in windows if len(window) > 1]


def score_window(read: Read, window: Array) -> Array:
    """The log-probabilities (S - 1,) of a window's tokens (S,) but the first, float64."""
    logits = read(window[None])[0, :-1]  # (S - 1, V)
    pairs = [(logits[start : start + ROWS], window[start + 1 :][:ROWS]) for start in range(0, len(logits), ROWS)]
    return np.concatenate([log_likelihood(rows, targets) for rows, targets in pairs])


def log_likelihood(logits: Array, targets: Array) -> Array:
    """Of logits (N, V), whatever their size, the log-probabilities (N,) of the targets (N,), float64."""
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(shifted, targets[:, None], axis=1)[:, 0]
    return np.asarray(chosen - np.log(np.exp(shifted).sum(axis=1)))
