"""A model's predictions on a text in compact form: at each position the likeliest tokens and a sample of the rest.

1. `ids` and `log_probs` (N, C): first the TOP likeliest tokens, likeliest first, then TAIL tokens drawn from the rest
   in proportion to their probabilities. A vocabulary of at most TOP tokens is kept whole, and nothing is drawn.
2. `tail` (N,): the total probability of all tokens outside the TOP.
3. `lse` (N,): the log-sum-exp of the logits, so that log_probs + lse are the logits.
4. `targets` (N,): the log-probability of the token that follows in the text.
5. `tokens` and `lengths`: the windows, one after the other. The last position of a window has no next token, so a
   window of L tokens has L - 1 positions.

`divergence` uses them to bound the Kullback-Leibler divergence of another model from below, and to estimate it
without bias.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from gpt2forge.runtime.likelihood import Array, log_softmax, log_sum_exp, split_rows

TOP = 128
TAIL = 32
ROWS = 128  # positions that are processed at once


@dataclass(frozen=True)
class Reference:
    """The predictions of the reference model; the module describes the arrays."""

    ids: Array
    log_probs: Array
    tail: Array
    lse: Array
    targets: Array
    tokens: Array
    lengths: Array

    @property
    def top(self) -> int:
        """The number of the C tokens that are the likeliest ones."""
        return min(TOP, int(self.ids.shape[1]))

    def windows(self) -> list[Array]:
        """Return the tokens of each window."""
        return np.split(self.tokens, np.cumsum(self.lengths)[:-1])

    def rows(self) -> list["Reference"]:
        """Return the part of each window, L - 1 rows for L tokens."""
        ends = np.cumsum(self.lengths - 1)
        spans = zip(ends - (self.lengths - 1), ends, self.windows(), strict=True)
        return [
            make_window([getattr(self, name)[start:end] for name in BY_POSITION], window)
            for start, end, window in spans
        ]


BY_POSITION = ("ids", "log_probs", "tail", "lse", "targets")


def make_window(columns: Sequence[Array], window: Array) -> Reference:
    """Make one window of L tokens from its arrays in the order of BY_POSITION."""
    ids, log_probs, tail, lse, targets = columns
    return Reference(ids, log_probs, tail, lse, targets, window, np.array([len(window)], np.int32))


def summarize_window(logits: Array, window: Sequence[int], random: np.random.Generator) -> Reference:
    """Summarize a model's logits (L, V) for a window of L tokens, ROWS positions at a time."""
    following = np.asarray(window[1:])
    spans = split_rows(len(following), ROWS)
    parts = [summarize_rows(logits[:-1][span], following[span], random) for span in spans]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return make_window(columns, np.asarray(window, np.int32))


def summarize_rows(logits: Array, following: Array, random: np.random.Generator) -> tuple[Array, ...]:
    """Summarize logits (N, V) and the tokens (N,) that follow; return arrays in the order of BY_POSITION."""
    log_probs = log_softmax(logits)
    top = find_top(log_probs)  # (N, TOP)
    shares = np.exp(log_probs)
    np.put_along_axis(shares, top, 0.0, axis=1)
    ids = np.concatenate([top, draw_tail(shares, random)], axis=1) if logits.shape[1] > TOP else top
    return (
        ids.astype(np.uint16 if logits.shape[1] <= 1 << 16 else np.uint32),
        np.take_along_axis(log_probs, ids, axis=1).astype(np.float32),
        shares.sum(axis=1),
        log_sum_exp(logits.astype(np.float64)),
        log_probs[np.arange(len(following)), following],
    )


def find_top(log_probs: Array) -> Array:
    """Return the TOP likeliest tokens of each row (N, V), likeliest first; equal ones in the order of their ids."""
    top = np.arange(log_probs.shape[1])[None].repeat(len(log_probs), axis=0)
    if log_probs.shape[1] > TOP:
        top = np.sort(np.argpartition(-log_probs, TOP - 1, axis=1)[:, :TOP], axis=1)
    values = np.take_along_axis(log_probs, top, axis=1)
    return np.asarray(np.take_along_axis(top, np.argsort(-values, axis=1, kind="stable"), axis=1))


def draw_tail(shares: Array, random: np.random.Generator) -> Array:
    """Draw TAIL tokens of each row of probabilities (N, V), at even steps of their running sum: (N, TAIL).

    This is systematic sampling: the expected count of a token is proportional to its probability, with less variance
    than independent draws. Tokens that must not be drawn have probability 0.
    """
    sums = np.cumsum(shares, axis=1)
    steps = (np.arange(TAIL) + random.random((len(shares), 1))) / TAIL * sums[:, -1:]  # (N, TAIL)
    # `right`: a token of probability 0 is never drawn.
    places = [np.searchsorted(row, step, side="right") for row, step in zip(sums, steps, strict=True)]
    return np.asarray(np.minimum(np.stack(places), shares.shape[1] - 1))


def join(parts: Sequence[Reference]) -> Reference:
    """Concatenate the windows of a text."""
    return Reference(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Reference)))


def write_reference(reference: Reference, folder: Path) -> None:
    """Write one .npy file for each array."""
    for field in fields(Reference):
        np.save(folder / f"{field.name}.npy", getattr(reference, field.name), allow_pickle=False)


def read_reference(folder: Path) -> Reference:
    arrays: list[Any] = [np.load(folder / f"{field.name}.npy", allow_pickle=False) for field in fields(Reference)]
    return Reference(*arrays)
