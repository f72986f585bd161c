"""Guesses the next tokens of a text from the text itself: those that followed its last tokens before.

https://github.com/apoorvumang/prompt-lookup-decoding, "Prompt Lookup Decoding".
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SHORT = 2
"""The number of last tokens that are looked up."""
LONG = 16
"""Their number where a wrong guess costs more than its pass. Behind so many equal tokens, most guesses are right."""


class PromptLookup:
    """Remembers where each sequence of `size` tokens occurred last. A token takes a microsecond or two."""

    cost = 0.0

    def __init__(self, size: int = SHORT) -> None:
        self.size = size
        self.tokens: list[int] = []
        self.places: dict[tuple[int, ...], int] = {}

    def guess(self, text: Array, most: int) -> list[int]:
        """Return up to `most` tokens that may follow a text (L,), which begins with that of the last call.

        If they reach the end of the text, they go on with themselves: a text in a loop stays in it.
        """
        tokens, size = self.tokens, self.size
        for token in text[len(tokens) :].tolist():
            self.places[tuple(tokens[-size:])] = len(tokens)
            tokens.append(token)
        place = self.places.get(tuple(tokens[-size:]))
        return [] if place is None else repeat(tokens[place:], most)


def repeat(tokens: list[int], count: int) -> list[int]:
    """Return the first `count` tokens of a sequence that is repeated without end."""
    return (tokens * (-(-count // len(tokens))))[:count] if len(tokens) < count else tokens[:count]
