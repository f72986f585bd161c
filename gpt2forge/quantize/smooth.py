"""Smooths activations: moves the means of channels into biases and their scales into weights.

A norm returns x = n * gain + shift, and one linear layer reads it: x @ weight + bias. With a mean and a factor for each
channel this equals

    ((x - mean) / factors) @ (factors * weight) + (bias + mean @ weight)

where mean and factors become part of gain and shift. Rows then have smaller magnitudes for the same spread, so their
8-bit steps are finer. SmoothQuant, section 4, https://arxiv.org/abs/2211.10438, moves no means and chooses factors by
the largest values: on nano that reduced KL by 3 %, and means with standard deviations reduced it by 9 %.
"""

from dataclasses import dataclass

import numpy as np

from gpt2forge.quantize.blocks import SMALLEST, Floats

STRENGTH = 0.3  # the exponent of deviations and weight norms in the factors; 0 would change no scale
FLOOR = 0.01  # of the largest deviation, because a channel that is constant in one text may vary in another


@dataclass(frozen=True)
class Smoothing:
    """The `mean` (K,) that is subtracted from a norm's output, and the `factors` (K,) that then divide it."""

    mean: Floats
    factors: Floats

    def smooth_gain(self, gain: Floats) -> Floats:
        """Return the smoothed gain (K,)."""
        return gain / self.factors

    def smooth_shift(self, shift: Floats) -> Floats:
        """Return the smoothed shift (K,)."""
        return (shift - self.mean) / self.factors

    def smooth_weight(self, weight: Floats) -> Floats:
        """Return the smoothed weight (K, N)."""
        return weight * self.factors[:, None]

    def smooth_bias(self, bias: Floats, weight: Floats) -> Floats:
        """Return the smoothed bias (N,), given the original weight (K, N)."""
        smoothed: Floats = bias + self.mean @ weight
        return smoothed

    def smooth_hessian(self, hessian: Floats) -> Floats:
        """Return the mean products (K, K) of the smoothed channels."""
        smoothed: Floats = (hessian - np.outer(self.mean, self.mean)) / np.outer(self.factors, self.factors)
        return smoothed


def choose_smoothing(mean: Floats, squares: Floats, weight: Floats) -> Smoothing:
    """Choose the smoothing for channels of this mean (K,) and mean square (K,), which a weight (K, N) reads."""
    deviations = np.sqrt(np.maximum(squares - mean * mean, 0.0))
    return Smoothing(mean, choose_factors(deviations, weight))


def choose_factors(deviations: Floats, weight: Floats) -> Floats:
    """Return a factor (K,) near 1 for each channel, from its standard deviation (K,) and its weights (K, N)."""
    norms = np.linalg.norm(weight, axis=1)
    logarithms = STRENGTH * (take_logarithm(deviations) - take_logarithm(norms))
    factors: Floats = np.exp(logarithms - logarithms.mean()).astype(np.float32)
    return factors


def take_logarithm(sizes: Floats) -> Floats:
    logarithms: Floats = np.log(np.maximum(sizes, max(FLOOR * sizes.max(), SMALLEST)))
    return logarithms
