"""Chooses the next tokens by the settings of a generation: edits the logits, then draws."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from gpt2forge.runtime.bans import add_bias, forbid_tokens, forbid_words
from gpt2forge.runtime.draw import choose_tokens
from gpt2forge.runtime.growing_text import GrowingText
from gpt2forge.runtime.likelihood import log_softmax
from gpt2forge.runtime.penalties import forbid_repeated_ngrams, penalize_counts, penalize_repetition
from gpt2forge.runtime.sampling import Sampling

Array = np.ndarray[Any, Any]


class History(Protocol):
    """The tokens before the next one of a text."""

    @property
    def tokens(self) -> Array:
        """Return the tokens (L,) of the prompt and the new ones."""
        ...

    @property
    def added(self) -> Array:
        """Return the new tokens."""
        ...


@dataclass(frozen=True)
class Edits:
    """The changes of logits that depend on the tokens before; see `penalties` and `bans` for what each does.

    `ends` may not be chosen before a text has `least` new tokens, or never.
    """

    bias: Mapping[int, float] = field(default_factory=dict)
    repetition: float = 1.0
    ngram: int = 0
    banned: Sequence[Sequence[int]] = ()
    ends: Collection[int] = ()
    least: int = 0
    is_endless: bool = False
    presence: float = 0.0
    frequency: float = 0.0

    @cached_property
    def are_any(self) -> bool:
        """Return whether any logits may change."""
        are_ends = bool(self.ends) and (self.is_endless or self.least > 0)
        are_counted = bool(self.presence or self.frequency)
        return are_ends or are_counted or self.repetition != 1 or self.ngram > 0 or bool(self.bias or self.banned)


@dataclass(frozen=True)
class Chooser:
    """Edits logits and chooses the next tokens from them.

    `is_recorded`: the log-probability of each token, by the model's own logits, is added to the token's text.
    """

    edits: Edits
    sampling: Sampling
    is_recorded: bool = False

    def __call__(self, logits: Array, texts: Sequence[GrowingText]) -> list[int]:
        """Return a token for each text, by its row of logits (B, V). Raises UserError if a row allows no token."""
        edited = edit_logits(logits, texts, self.edits) if self.edits.are_any else logits
        tokens = choose_tokens(edited, self.sampling, [text.generator for text in texts])
        if self.is_recorded:
            found = log_softmax(logits)[np.arange(len(tokens)), tokens]
            for text, value in zip(texts, found, strict=True):
                text.log_probabilities.append(float(value))
        return tokens

    def measure_lead(self, logits: Array, text: GrowingText) -> float:
        """Return how far the likeliest next token of a text is ahead of the second, by edited logits (1, V).

        A penalty multiplies logits, and what they are wrong by. The lead is divided by it.
        """
        edited = edit_logits(logits, [text], self.edits) if self.edits.are_any else logits
        return find_lead(edited[0]) / max(self.edits.repetition, 1 / self.edits.repetition)


def find_lead(logits: Array) -> float:
    """Return how much the largest of logits (V,) exceeds the second."""
    first = int(logits.argmax())
    others = (part.max(initial=-np.inf) for part in (logits[:first], logits[first + 1 :]))
    return float(logits[first] - max(others))


def edit_logits(logits: Array, texts: Sequence[History], edits: Edits) -> Array:
    """Apply the edits to logits (B, V), in the order of transformers."""
    histories = [text.tokens for text in texts]
    if edits.bias:
        logits = add_bias(logits, edits.bias)
    if edits.repetition != 1:
        logits = penalize_repetition(logits, histories, edits.repetition)
    if edits.ngram > 0:
        logits = forbid_repeated_ngrams(logits, histories, edits.ngram)
    if edits.banned:
        logits = forbid_words(logits, histories, edits.banned)
    if edits.presence or edits.frequency:
        logits = penalize_counts(logits, [text.added for text in texts], edits.presence, edits.frequency)
    return forbid_ends(logits, texts, edits)


def forbid_ends(logits: Array, texts: Sequence[History], edits: Edits) -> Array:
    """Forbid the tokens that end a text in the rows whose texts are too short to end."""
    if not edits.ends:
        return logits
    if edits.is_endless:
        return forbid_tokens(logits, edits.ends)
    short = [row for row, text in enumerate(texts) if len(text.added) < edits.least]
    return forbid_tokens(logits, edits.ends, short) if short else logits
