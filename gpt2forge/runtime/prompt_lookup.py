"""Guesses the next tokens of a text from the text itself: those that followed its last tokens before.

https://github.com/apoorvumang/prompt-lookup-decoding, "Prompt Lookup Decoding".
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SIZES = (4, 2)
"""The numbers of last tokens that are looked up; the first that is found counts."""


class PromptLookup:
    """Remembers where each sequence of tokens occurred last. A token takes a microsecond or two."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.places: tuple[dict[tuple[int, ...], int], ...] = tuple({} for _ in SIZES)

    def guess(self, text: Array, most: int) -> list[int]:
        """Return up to `most` tokens that may follow a text (L,), which begins with that of the last call.

        If they reach the end of the text, they go on with themselves: a text in a loop stays in it.
        """
        self.learn(text)
        for size, places in zip(SIZES, self.places, strict=True):
            place = places.get(tuple(self.tokens[-size:]))
            if place is not None:
                return repeat(self.tokens[place:], most)
        return []

    def learn(self, text: Array) -> None:
        """Remember the sequences before each new token."""
        for token in text[len(self.tokens) :].tolist():
            end = len(self.tokens)
            for size, places in zip(SIZES, self.places, strict=True):
                if end >= size:
                    places[tuple(self.tokens[end - size :])] = end
            self.tokens.append(token)


def repeat(tokens: list[int], count: int) -> list[int]:
    """Return the first `count` tokens of a sequence that is repeated without end."""
    return (tokens * (-(-count // len(tokens))))[:count] if len(tokens) < count else tokens[:count]
