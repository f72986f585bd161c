"""Chooses the next tokens by the settings of a generation: edits the logits, then draws."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from gpt2forge.runtime.bans import add_bias, forbid_tokens, forbid_words
from gpt2forge.runtime.growing_text import GrowingText
from gpt2forge.runtime.likelihood import log_softmax
from gpt2forge.runtime.penalties import forbid_repeated_ngrams, penalize_counts, penalize_repetition
from gpt2forge.runtime.sampling import Sampling, choose_tokens

Array = np.ndarray[Any, Any]
Choose = Callable[[Array, Sequence[GrowingText]], Array]
"""Takes logits (B, V) and the text of each row, and returns a token for each, (B,)."""


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


def make_chooser(edits: Edits, sampling: Sampling, is_recorded: bool = False) -> Choose:
    """Return a function that edits logits and chooses from them.

    `is_recorded`: it adds the log-probability of each token, by the model's own logits, to the token's text.
    """

    def choose(logits: Array, texts: Sequence[GrowingText]) -> Array:
        edited = edit_logits(logits, texts, edits)
        tokens = choose_tokens(edited, sampling, [text.generator for text in texts])
        if is_recorded:
            found = log_softmax(logits)[np.arange(len(tokens)), tokens]
            for text, value in zip(texts, found, strict=True):
                text.log_probabilities.append(float(value))
        return tokens

    return choose


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
