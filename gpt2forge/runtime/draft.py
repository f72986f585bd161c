"""Guesses the next tokens of a text with a smaller model: those that it finds likeliest."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer

from gpt2forge.errors import UserError
from gpt2forge.runtime.decoder import Decoder

Array = np.ndarray[Any, Any]


class Opened(Protocol):
    """An open package, as `gpt2forge.load` returns it: see Model."""

    @property
    def decoder(self) -> Decoder: ...
    @property
    def tokenizer(self) -> Tokenizer: ...
    @property
    def folder(self) -> Path: ...


class Draft:
    """A smaller model and what it has read of a text: `tokens` in its sight, which begin at `first`.

    `cost`: how many steps of the model each guessed token takes. A step takes as long as the weights are large.
    """

    def __init__(self, draft: Opened, model: Opened) -> None:
        self.decoder = draft.decoder
        self.vocabulary = min(draft.decoder.vocabulary, model.decoder.vocabulary)
        self.cost = count_bytes(draft.folder) / count_bytes(model.folder)
        self.start(0)

    def start(self, first: int) -> None:
        """Forget all; the tokens to read begin at `first`."""
        self.step = self.decoder.start(self.decoder.context)
        self.first = first
        self.tokens: list[int] = []

    def guess(self, text: Array, most: int) -> list[int]:
        """Return up to `most` tokens that may follow a text (L,), which begins mostly like that of the last call."""
        most = min(most, self.decoder.context // 2)
        if len(text) - self.first + most > self.decoder.context:
            self.start(len(text) - self.decoder.context // 2)
        logits = self.follow(text[self.first :].tolist())
        guessed = [self.choose(logits)]
        while len(guessed) < most:
            logits = self.read(guessed[-1:])
            guessed.append(self.choose(logits))
        return guessed

    def follow(self, tokens: list[int]) -> Array:
        """Read what is new of some tokens, and at least the last one; return the logits (1, V) after that."""
        known = count_equal(self.tokens, tokens[:-1])
        self.step.forget(len(self.tokens) - known)
        del self.tokens[known:]
        return self.read(tokens[known:])

    def read(self, tokens: list[int]) -> Array:
        """Read more tokens; return the logits (1, V) after the last."""
        self.decoder.check_process()
        self.tokens += tokens
        return self.step(np.array([tokens]))

    def choose(self, logits: Array) -> int:
        return int(logits[0, : self.vocabulary].argmax())


def count_bytes(folder: Path) -> int:
    """Return the size of a package's graph and weights."""
    return sum(path.stat().st_size for path in folder.glob("model.onnx*"))


def count_equal(one: list[int], other: list[int]) -> int:
    """Return how many tokens two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def check_draft(draft: Opened, model: Opened) -> None:
    """Raise UserError unless a draft has the tokens of a model."""
    if draft.tokenizer.get_vocab() != model.tokenizer.get_vocab():
        raise UserError(
            "the draft has another vocabulary than the model, so it guesses tokens of other words; use a draft that "
            "was trained with the model's tokenizer"
        )
