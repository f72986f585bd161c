"""Lowers the logits of tokens that a text already has. Each function takes logits (B, V) and returns new ones.

`texts` holds the tokens (L,) that count for each row; the rows may differ in length.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def penalize_repetition(logits: Array, texts: Sequence[Array], penalty: float) -> Array:
    """Divide positive logits of tokens in the text by the penalty, and multiply negative ones by it.

    CTRL, https://arxiv.org/abs/1909.05858, section 4.1.
    """
    result = logits.copy()
    for row, tokens in zip(result, texts, strict=True):
        found = row[tokens]
        row[tokens] = np.where(found < 0, found * penalty, found / penalty)
    return result


def penalize_counts(logits: Array, texts: Sequence[Array], presence: float, frequency: float) -> Array:
    """Subtract `presence` from each token in the text, and `frequency` once for each time that it occurs.

    https://platform.openai.com/docs/api-reference/chat/create, `frequency_penalty` and `presence_penalty`.
    """
    result = logits.copy()
    for row, text in zip(result, texts, strict=True):
        tokens, counts = np.unique(text, return_counts=True)
        row[tokens] -= np.float32(presence) + np.float32(frequency) * counts.astype(np.float32)
    return result


def forbid_repeated_ngrams(logits: Array, texts: Sequence[Array], size: int) -> Array:
    """Forbid each token that would complete a sequence of `size` tokens that the text already has."""
    result = logits.copy()
    for row, text in zip(result, texts, strict=True):
        row[find_repeating(text, size)] = -np.inf
    return result


def find_repeating(text: Array, size: int) -> Array:
    """Return the tokens that followed the last `size - 1` tokens of a text (L,) elsewhere in it."""
    if len(text) < size:
        return text[:0]
    windows = np.lib.stride_tricks.sliding_window_view(text, size)  # (L - size + 1, size)
    last = text[len(text) - size + 1 :]  # (size - 1,)
    return np.asarray(windows[(windows[:, :-1] == last).all(axis=1), -1])
