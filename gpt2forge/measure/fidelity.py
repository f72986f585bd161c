"""Measures fidelity on a text. Each number has a 95 % interval from resampling the windows (a seeded bootstrap).

Bootstrap Methods: Another Look at the Jackknife, https://doi.org/10.1214/aos/1176344552. The bootstrap draws windows,
not positions, because the positions of a window are not independent.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpt2forge.measure.distributions import Reference
from gpt2forge.measure.divergence import Divergence, check_finite, compare_window, join
from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.likelihood import Array

SAMPLES = 400
SHARE = (2.5, 97.5)  # percentiles
Statistic = Callable[[Divergence], float]


def mean_perplexity(targets: Array) -> float:
    return float(np.exp(-targets.mean()))


STATISTICS: dict[str, Statistic] = {
    "perplexity": lambda found: mean_perplexity(found.targets),
    "perplexity_reference": lambda found: mean_perplexity(found.targets_reference),
    "perplexity_increase": lambda found: float(np.expm1((found.targets_reference - found.targets).mean())),
    "kl_mean": lambda found: float(found.kl.mean()),
    "kl_median": lambda found: float(np.median(found.kl)),
    "kl_p99": lambda found: float(np.percentile(found.kl, 99)),
    "kl_mean_least": lambda found: float(found.kl_least.mean()),
    "top1_agreement": lambda found: float(found.same_top.mean()),
}


def summarize(windows: Sequence[Divergence]) -> dict[str, Any]:
    """Return every statistic over all positions, `intervals` and `kl_windows`.

    The intervals are [low, high] of each statistic, None for a single window; `kl_windows` is the KL of each window.
    """
    whole = join(windows)
    values: dict[str, Any] = {name: statistic(whole) for name, statistic in STATISTICS.items()}
    intervals = find_intervals(windows) if len(windows) > 1 else None
    return {**values, "intervals": intervals, "kl_windows": [float(window.kl.mean()) for window in windows]}


def find_intervals(windows: Sequence[Divergence]) -> dict[str, list[float]]:
    random = np.random.default_rng(0)
    drawn: dict[str, list[float]] = {name: [] for name in STATISTICS}
    for _ in range(SAMPLES):
        sample = join([windows[index] for index in random.integers(0, len(windows), len(windows))])
        for name, statistic in STATISTICS.items():
            drawn[name].append(statistic(sample))
    return {name: [float(edge) for edge in np.percentile(values, SHARE)] for name, values in drawn.items()}


def measure_fidelity(
    decoder: Decoder, reference: Reference, advance: Callable[[int, int, str], None]
) -> dict[str, Any]:
    """Run every window of the reference through a package, and summarize the divergence.

    Raises UserError if a logit or a statistic is not finite.
    """
    rows, found = reference.rows(), []
    for number, row in enumerate(rows):
        advance(number, len(rows), "windows")
        logits = decoder.read(row.tokens[None].astype(np.int64))[0]  # (L, V)
        check_finite(logits)
        found.append(compare_window(logits, row))
    numbers = summarize(found)
    check_finite(np.array([numbers[name] for name in STATISTICS]))
    return numbers
