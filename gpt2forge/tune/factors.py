"""Corrects the predicted divergence of each weight by what mixes of weights were measured to have.

Alone, a weight is rounded in a model that is otherwise exact; in a mix, its errors meet those of others. So each weight
gets a factor. There are fewer mixes than weights: the factors are those of a ridge regression, which leaves them near
the common ratio of measured to predicted divergence unless the mixes say otherwise.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from gpt2forge.tune.choice import Choice, total_kl

SPREAD = 0.2  # standard deviation of the factors around the ratio, as a part of it
NOISE = 0.005  # that of a measured divergence around its prediction, as a part of it
WIDEST = 2.0  # ratio of a factor to the common one, at most


def fit_factors(mixes: Sequence[tuple[Choice, float]]) -> Mapping[str, float]:
    """Return a factor for the divergence of each weight, from mixes and their measured divergences in nats a token."""
    known = [(choice, measured) for choice, measured in mixes if measured > 0 and total_kl(choice) > 0]
    if not known:
        return {}
    names = list(known[0][0])
    shares = np.array([[choice[name].kl / measured for name in names] for choice, measured in known])
    ratio = float(np.median([measured / total_kl(choice) for choice, measured in known]))
    missing = (1 - ratio * shares.sum(axis=1)) / NOISE
    rows = shares * (ratio * SPREAD / NOISE)
    # The deviations from the ratio, in units of SPREAD, have a prior of variance 1.
    found = np.linalg.solve(rows.T @ rows + np.eye(len(names)), rows.T @ missing)
    factors = np.clip(1 + SPREAD * found, 1 / WIDEST, WIDEST)
    # Sums of floats depend on threads in the last digits, and the best mix must not.
    return {name: float(f"{ratio * factor:.6g}") for name, factor in zip(names, factors, strict=True)}
