"""Declares what a step is: it reads the next tokens of texts, and remembers all earlier ones."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]


class Step(Protocol):
    """Reads the next tokens of texts beside each other; it remembers all earlier ones.

    `length` is how many it remembers of each, with padding. What it returns may be overwritten by its next call.
    """

    length: int

    def __call__(self, tokens: Array) -> Array:
        """Return the logits (B, V) after the last of the tokens (B, S)."""
        last: Array = self.read(tokens, kept=1)[:, 0]
        return last

    def add(self, tokens: Sequence[int]) -> Array:
        """Return the logits (B, V) after one more token of each text."""
        return self(np.array(tokens)[:, None])

    def read_each(self, tokens: Array) -> Array:
        """Return the logits (B, S, V) after each of the tokens (B, S)."""
        return self.read(tokens, kept=tokens.shape[1])

    def read(self, tokens: Array, kept: int) -> Array:
        """Return the logits (B, K, V) after the last K = `kept` of the tokens (B, S)."""
        ...

    def read_prompts(self, prompts: Sequence[Sequence[int]]) -> Array:
        """Return the logits (B, V) after each of the first texts, which may differ in length."""
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Continue with the texts of these rows, in this order. A row may be named several times."""
        ...

    def save(self) -> list[Array]:
        """Return copies of the keys and values (1, H, L, D) of each layer in turn, of the only text."""
        ...

    def load(self, past: Sequence[Array]) -> None:
        """Remember one text with these keys and values (1, H, L, D) of each layer in turn, and nothing else."""
        ...

    def forget(self, count: int) -> None:
        """Forget the last `count` tokens of each text."""
        ...


def pad_prompts(prompts: Sequence[Sequence[int]]) -> tuple[Array, Array]:
    """Return prompts as tokens (B, S), with zeros before the shorter ones, and the number of those zeros, (B,)."""
    longest = max(len(prompt) for prompt in prompts)
    padding = np.array([longest - len(prompt) for prompt in prompts], np.int64)
    return np.stack([np.pad(prompt, (longest - len(prompt), 0)) for prompt in prompts]).astype(np.int64), padding
