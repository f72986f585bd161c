"""Scores texts and answers: how likely a model finds them.

A text is read in windows of at most the whole context, which begin `stride` tokens apart. Each token counts once, in
the first window that predicts it from at least one token before it. With a stride of the whole context, windows do not
overlap, as those of `text.cut_windows`. With a shorter one, more tokens precede each that counts, and work grows.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.likelihood import Array, log_softmax, split_rows

Read = Callable[[Array], Array]
"""Takes tokens (B, S) without a past and returns their logits (B, S, V)."""

Advance = Callable[[int, int], None]
"""Is told how many of how many tokens are done."""
Tokens = Sequence[int] | Array

ROWS = 64  # positions whose logits are in float64 at the same time


@dataclass(frozen=True)
class Score:
    """The likelihood of a text of `tokens` tokens, of which `scored` were predicted.

    `log_probability` is in nats, summed over the scored tokens.
    """

    tokens: int
    scored: int
    log_probability: float

    @property
    def perplexity(self) -> float:
        """Return the number of equally likely tokens that would give the same mean log-probability."""
        mean = self.log_probability / self.scored
        return math.exp(-mean) if mean > -700 else math.inf


@dataclass(frozen=True)
class Window:
    """The tokens from `start` to `end` of a text, of which those from `first` on are scored."""

    start: int
    first: int
    end: int


def list_windows(count: int, context: int, stride: int) -> Iterator[Window]:
    """Yield the windows of a text of `count` tokens that score any."""
    end = 0
    for start in range(0, count, stride):
        first, end = max(end, start + 1), min(start + context, count)
        if first < end:
            yield Window(start, first, end)
        if end == count:
            return


def check_stride(stride: int, context: int) -> None:
    """Raise UserError for a stride that would leave out tokens or never end."""
    if not 1 <= stride <= context:
        raise UserError(f"the stride is {stride}; it must be from 1 to this model's context of {context}")


def ignore(done: int, total: int) -> None:
    """Show no progress."""


def score_tokens(
    read: Read, tokens: Tokens, context: int, stride: int | None = None, advance: Advance = ignore
) -> Score:
    """Score tokens with a model that takes `context` of them at once; the default stride is the context.

    `advance` is called with how many of how many tokens are done. Raises UserError for fewer than two tokens, or for a
    stride that is not from 1 to the context.
    """
    stride = context if stride is None else stride
    check_stride(stride, context)
    if len(tokens) < 2:
        raise UserError(
            f"a text of {len(tokens)} tokens cannot be scored: its first token is not predicted; "
            "give a text of two or more tokens"
        )
    found = []
    for window in list_windows(len(tokens), context, stride):
        logits = read(np.array(tokens[window.start : window.end], np.int64)[None])[0]  # (S, V)
        targets = np.array(tokens[window.first : window.end])
        found.append(pick(logits[window.first - window.start - 1 : -1], targets))
        advance(window.end, len(tokens))
    advance(len(tokens), len(tokens))
    predicted = np.concatenate(found)
    return Score(len(tokens), len(predicted), float(predicted.sum()))


def score_answer(decoder: Decoder, prompt: Sequence[int], answer: Sequence[int]) -> Score:
    """Score the tokens of an answer behind those of a prompt.

    Raises UserError if either is empty or they do not fit.
    """
    if not prompt or not answer:
        raise UserError(f"the {'answer' if prompt else 'prompt'} is empty; give at least one token")
    count = len(prompt) + len(answer)
    if count > decoder.context:
        raise UserError(
            f"the prompt's {len(prompt)} tokens and the answer's {len(answer)} exceed this model's context of "
            f"{decoder.context}; shorten them"
        )
    tokens = np.array([[*prompt, *answer]], np.int64)
    logits = decoder.read(tokens, last=len(answer) + 1)[0, :-1]  # (A, V)
    return Score(count, len(answer), float(pick(logits, np.array(answer)).sum()))


def pick(logits: Array, targets: Array) -> Array:
    """Return the float64 log-probability of each target (N,) by its row of logits (N, V)."""
    pairs = [(logits[span], targets[span]) for span in split_rows(len(logits), ROWS)]
    return np.concatenate([log_softmax(rows)[np.arange(len(rows)), wanted] for rows, wanted in pairs])
