"""Computes the divergence of a package's predictions from the reference's at each position, in nats.

KL(P || Q) of a position is the sum over all tokens of p log(p / q). With T the likeliest tokens of P, and P_t and Q_t
the total probabilities of the other tokens:

    exact        sum over T of p log(p / q)  +  P_t log(P_t / Q_t)  +  P_t * KL of the tails, each scaled to 1
    lower bound  the same without the last term, which is never negative (the log-sum inequality)

The last term is estimated from the tokens drawn from P's tail. With d the logarithm of their scaled p / q, the mean
of d + exp(-d) - 1 is unbiased, because exp(-d) has mean 1, and never negative. http://joschu.net/blog/kl-approx.html
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.measure.distributions import ROWS, Reference
from gpt2forge.runtime.likelihood import Array, log_softmax, split_rows

LEAST = 1e-300  # probability; keeps the logarithm of an empty tail finite


@dataclass(frozen=True)
class Divergence:
    """The comparison of N positions; every array is (N,).

    `kl` is the estimate and `kl_least` the lower bound, in nats. `same_top` marks equal likeliest tokens. `targets` and
    `targets_reference` are the log-probabilities of the token that follows, by the package and by the reference.
    """

    kl: Array
    kl_least: Array
    same_top: Array
    targets: Array
    targets_reference: Array


def compare_window(logits: Array, reference: Reference) -> Divergence:
    """Compare the logits (L, V) of a window with the reference for the same window, ROWS positions at a time."""
    following = reference.tokens[1:]
    spans = split_rows(len(following), ROWS)
    return join([compare_rows(logits[:-1][span], following[span], reference, span=span) for span in spans])


def compare_rows(logits: Array, following: Array, reference: Reference, *, span: slice) -> Divergence:
    """Compare logits (N, V) with the rows `span` of the reference."""
    ids, tail = reference.ids[span].astype(np.int64), reference.tail[span]
    log_q = log_softmax(logits)
    q = np.take_along_axis(log_q, ids, axis=1)  # (N, C), logarithms as all below
    p = reference.log_probs[span].astype(np.float64)
    top = reference.top
    rest = np.exp(log_q)
    np.put_along_axis(rest, ids[:, :top], 0.0, axis=1)
    p_tail, q_tail = (np.log(np.maximum(left, LEAST)) for left in (tail, rest.sum(axis=1)))

    among_top = (np.exp(p[:, :top]) * (p[:, :top] - q[:, :top])).sum(axis=1)
    least = np.maximum(among_top + tail * (p_tail - q_tail), 0.0)
    return Divergence(
        kl=least + tail * estimate_tail(p[:, top:] - p_tail[:, None], q[:, top:] - q_tail[:, None]),
        kl_least=least,
        same_top=log_q.argmax(axis=1) == ids[:, 0],
        targets=log_q[np.arange(len(following)), following],
        targets_reference=reference.targets[span],
    )


def check_finite(values: Array) -> None:
    """Raise UserError unless all values are finite: NaN compares with nothing, so it would pass every limit."""
    if not np.isfinite(values).all():
        raise UserError("the logits are not all finite numbers, so nothing can be measured; are the weights sound?")


def join(parts: Sequence[Divergence]) -> Divergence:
    """Concatenate the positions of all parts."""
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Divergence(*(np.concatenate(column) for column in columns))


def estimate_tail(p: Array, q: Array) -> Array:
    """Estimate the divergence (N,) of the scaled tails from log-probabilities (N, TAIL) of tokens drawn from P's."""
    if not p.shape[1]:
        return np.zeros(len(p))
    difference = p - q
    return np.asarray((difference + np.expm1(-difference)).mean(axis=1))
