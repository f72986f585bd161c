"""A text that grows token by token until something ends it."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from gpt2forge.runtime.stops import StopFinder
from gpt2forge.runtime.text import TextStream

Array = np.ndarray[Any, Any]
Finish = Literal["end", "stop", "length", "cancelled"]
"""The reason why a text ended: a token that ends it, a stop string, its limit of tokens, or the caller."""


class GrowingText:
    """The tokens of a prompt and those that follow it, with the text of the new ones.

    Each of the tokens `ends` ends the text and is no part of it; so does the token that reaches `limit` new ones, which
    is a part. `finish` is None until then. `generator` is the text's own source of random numbers, and `seed` repeats
    them. `passes` counts the runs of the model for this text. `last` is the last token.

    Tokens are spelled when somebody reads the text, or at its end; where there are stop strings, as they come.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        *,
        limit: int,
        ends: Collection[int],
        spelling: TextStream,
        stops: StopFinder,
        generator: np.random.Generator,
        seed: int | None = None,
    ) -> None:
        self.memory = np.array(prompt, np.int64)
        self.prompt = self.length = self.spelled = len(prompt)
        self.last = int(prompt[-1])
        self.first_seen = 0
        self.limit = limit
        self.ends = ends
        self.spelling, self.stops = spelling, stops
        self.generator, self.seed = generator, seed
        self.finish: Finish | None = None
        self.log_probabilities: list[float] = []
        self.pieces: list[str] = []
        self.given = 0
        self.passes = 0

    @property
    def tokens(self) -> Array:
        """Return the tokens (L,) of the prompt and the new ones."""
        return self.memory[: self.length]

    @property
    def added(self) -> Array:
        """Return the new tokens."""
        return self.memory[self.prompt : self.length]

    @property
    def window(self) -> Array:
        """Return the tokens that the model sees; `slide` leaves out the first ones."""
        return self.memory[self.first_seen : self.length]

    @property
    def seen(self) -> int:
        """Return the number of tokens that the model sees."""
        return self.length - self.first_seen

    @property
    def room(self) -> int:
        """Return how many more tokens the text may get."""
        return self.limit - (self.length - self.prompt)

    def slide(self, kept: int) -> None:
        """Let the model see no more than the last `kept` tokens from now on."""
        self.first_seen = max(self.first_seen, self.length - kept)

    def add(self, token: int) -> None:
        """Add a token, which may end the text."""
        if token in self.ends:
            self.end("end")
            return
        if self.length == len(self.memory):
            self.memory = np.concatenate([self.memory, np.zeros(max(self.length, 64), np.int64)])
        self.memory[self.length] = self.last = token
        self.length += 1
        if self.stops.stops:
            self.spell()
        if self.length - self.prompt == self.limit:
            self.end("length")

    def spell(self) -> None:
        """Write the tokens that are not spelled yet."""
        for token in self.memory[self.spelled : self.length].tolist():
            self.write(self.spelling.push(token))
        self.spelled = self.length

    def write(self, text: str) -> None:
        """Pass text on up to a stop string, which ends the text."""
        self.pieces.append(self.stops.push(text))
        if self.stops.is_found:
            self.finish = "stop"

    def end(self, reason: Finish) -> None:
        """End the text, unless something has ended it; what waited for more characters comes now."""
        if self.finish:
            return
        self.spell()
        self.finish = reason
        self.write(self.spelling.finish())
        self.pieces.append(self.stops.finish())

    def take_pieces(self) -> Iterator[str]:
        """Yield the pieces of the text since the last call; none is empty."""
        self.spell()
        pieces, self.given = self.pieces[self.given :], len(self.pieces)
        return (piece for piece in pieces if piece)
