"""Moves what is hard to quantize out of the activations: an offset into biases, a scale into weights.

A norm gives x = n * gain + shift, and one linear layer reads it: x @ weight + bias. With the mean and a factor of each
channel the same is

    ((x - mean) / factors) @ (factors * weight) + (bias + mean @ weight)

where mean and factors go into gain and shift. Rows then have smaller magnitudes for the same spread, so their 8 bits
are finer. SmoothQuant, section 4, https://arxiv.org/abs/2211.10438, has no means and goes by the largest values: on
nano that took 3 % of KL away, and means with deviations 9 %.
"""

from dataclasses import dataclass

import numpy as np

from gpt2forge.quantize.blocks import SMALLEST, Floats

STRENGTH = 0.3  # of the deviations and of the weights: 0 would leave the scales where they are
FLOOR = 0.01  # of the largest one: a channel that was still in the calibration text may move in another


@dataclass(frozen=True)
class Migration:
    """The `mean` (K,) that leaves a norm's output, and the `factors` (K,) that it is divided by."""

    mean: Floats
    factors: Floats

    def move_gain(self, gain: Floats) -> Floats:
        """(K,)."""
        return gain / self.factors

    def move_shift(self, shift: Floats) -> Floats:
        """(K,)."""
        return (shift - self.mean) / self.factors

    def move_weight(self, weight: Floats) -> Floats:
        """(K, N)."""
        return weight * self.factors[:, None]

    def move_bias(self, bias: Floats, weight: Floats) -> Floats:
        """(N,), given the weight (K, N) as it was."""
        moved: Floats = bias + self.mean @ weight
        return moved

    def move_hessian(self, hessian: Floats) -> Floats:
        """The mean products of channels (K, K)."""
        moved: Floats = (hessian - np.outer(self.mean, self.mean)) / np.outer(self.factors, self.factors)
        return moved


def choose_migration(mean: Floats, squares: Floats, weight: Floats) -> Migration:
    """From the mean (K,) and the mean square (K,) of each channel, and what they are multiplied with, (K, N)."""
    deviations = np.sqrt(np.maximum(squares - mean * mean, 0.0))
    return Migration(mean, choose_factors(deviations, weight))


def choose_factors(deviations: Floats, weight: Floats) -> Floats:
    """A factor (K,) for each channel from its standard deviation (K,) and its weights (K, N), around 1."""
    norms = np.linalg.norm(weight, axis=1)
    logarithms = STRENGTH * (take_logarithm(deviations) - take_logarithm(norms))
    factors: Floats = np.exp(logarithms - logarithms.mean()).astype(np.float32)
    return factors


def take_logarithm(sizes: Floats) -> Floats:
    logarithms: Floats = np.log(np.maximum(sizes, max(FLOOR * sizes.max(), SMALLEST)))
    return logarithms
