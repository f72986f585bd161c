"""Raises, lowers or forbids chosen tokens. Each function takes logits (B, V) and returns new ones."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def add_bias(logits: Array, bias: Mapping[int, float]) -> Array:
    """Add a number to the logits of each token that `bias` names; -inf forbids a token."""
    result = logits.copy()
    result[:, list(bias)] += np.array(list(bias.values()), np.float32)
    return result


def forbid_words(logits: Array, texts: Sequence[Array], words: Sequence[Sequence[int]]) -> Array:
    """Forbid the last token of each word where the text (L,) of a row ends with all tokens before it."""
    result = logits.copy()
    for row, text in zip(result, texts, strict=True):
        row[[word[-1] for word in words if ends_with(text, word[:-1])]] = -np.inf
    return result


def ends_with(text: Array, tokens: Sequence[int]) -> bool:
    """Return whether a text (L,) ends with these tokens."""
    return len(text) >= len(tokens) and bool((text[len(text) - len(tokens) :] == tokens).all())


def forbid_tokens(logits: Array, tokens: Collection[int], rows: Sequence[int] | None = None) -> Array:
    """Forbid tokens in some rows; in all of them by default."""
    result, forbidden = logits.copy(), list(tokens)
    for row in range(len(logits)) if rows is None else rows:
        result[row, forbidden] = -np.inf
    return result
