"""What a model says of a text, kept compactly: of each position's distribution the likeliest tokens and a fair sample.

1. `ids` and `log_probs` (N, C): first the TOP likeliest tokens, likeliest first, then TAIL tokens drawn from the rest,
   each as often as its share says. A vocabulary of TOP tokens or fewer is kept whole, and nothing is drawn.
2. `tail` (N,): the share of all that is not among the TOP.
3. `lse` (N,): the log-sum-exp of the logits, so that log_probs + lse are the logits.
4. `targets` (N,): the log-probability of the token that really follows.
5. `tokens` and `lengths`: the windows, one after the other. What the last position of a window predicts is not known:
   of L tokens, N counts L - 1.

So the Kullback-Leibler divergence of any other model is bounded from below, and estimated without bias: `divergence`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from gpt2forge.runtime.likelihood import Array, log_softmax, log_sum_exp, split_rows

TOP = 128
TAIL = 32
ROWS = 128  # positions that are worked on at once


@dataclass(frozen=True)
class Reference:
    """The arrays of the rules above."""

    ids: Array
    log_probs: Array
    tail: Array
    lse: Array
    targets: Array
    tokens: Array
    lengths: Array

    @property
    def top(self) -> int:
        """How many of the C tokens are the likeliest."""
        return min(TOP, int(self.ids.shape[1]))

    def windows(self) -> list[Array]:
        """The tokens of each window."""
        return np.split(self.tokens, np.cumsum(self.lengths)[:-1])

    def rows(self) -> list["Reference"]:
        """The part of each window, whose positions are rows 0 to L - 2."""
        ends = np.cumsum(self.lengths - 1)
        spans = zip(ends - (self.lengths - 1), ends, self.windows(), strict=True)
        return [
            make_window([getattr(self, name)[start:end] for name in BY_POSITION], window)
            for start, end, window in spans
        ]


BY_POSITION = ("ids", "log_probs", "tail", "lse", "targets")


def make_window(columns: Sequence[Array], window: Array) -> Reference:
    """One window of L tokens from its arrays in the order of BY_POSITION."""
    ids, log_probs, tail, lse, targets = columns
    return Reference(ids, log_probs, tail, lse, targets, window, np.array([len(window)], np.int32))


def summarize_window(logits: Array, window: Sequence[int], random: np.random.Generator) -> Reference:
    """Take the logits (L, V) that a model gave for a window of L tokens, some rows at a time."""
    following = np.asarray(window[1:])
    spans = split_rows(len(following), ROWS)
    parts = [summarize_rows(logits[:-1][span], following[span], random) for span in spans]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return make_window(columns, np.asarray(window, np.int32))


def summarize_rows(logits: Array, following: Array, random: np.random.Generator) -> tuple[Array, ...]:
    """What is kept of logits (N, V), and of the tokens (N,) that follow, in the order of BY_POSITION."""
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
    """The TOP likeliest tokens of each row (N, V), likeliest first; among equals the smaller id."""
    top = np.arange(log_probs.shape[1])[None].repeat(len(log_probs), axis=0)
    if log_probs.shape[1] > TOP:
        top = np.sort(np.argpartition(-log_probs, TOP - 1, axis=1)[:, :TOP], axis=1)
    values = np.take_along_axis(log_probs, top, axis=1)
    return np.asarray(np.take_along_axis(top, np.argsort(-values, axis=1, kind="stable"), axis=1))


def draw_tail(shares: Array, random: np.random.Generator) -> Array:
    """TAIL tokens of each row of shares (N, V), at even steps of their running sum: (N, TAIL).

    Systematic sampling: each is drawn as often as its share says, with less scatter than single draws have. The tokens
    that are not to be drawn have the share 0.
    """
    sums = np.cumsum(shares, axis=1)
    steps = (np.arange(TAIL) + random.random((len(shares), 1))) / TAIL * sums[:, -1:]  # (N, TAIL)
    # `right`: a token of share nothing is never hit.
    places = [np.searchsorted(row, step, side="right") for row, step in zip(sums, steps, strict=True)]
    return np.asarray(np.minimum(np.stack(places), shares.shape[1] - 1))


def join(parts: Sequence[Reference]) -> Reference:
    """The windows of a text one after the other."""
    return Reference(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Reference)))


def write_reference(reference: Reference, folder: Path) -> None:
    """Write one .npy file an array."""
    for field in fields(Reference):
        np.save(folder / f"{field.name}.npy", getattr(reference, field.name), allow_pickle=False)


def read_reference(folder: Path) -> Reference:
    arrays: list[Any] = [np.load(folder / f"{field.name}.npy", allow_pickle=False) for field in fields(Reference)]
    return Reference(*arrays)
