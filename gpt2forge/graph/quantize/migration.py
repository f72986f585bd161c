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

from gpt2forge.graph.quantize.blocks import SMALLEST, Floats

STRENGTH = 0.3  # of the deviations and of the weights: 0 would leave the scales where they are
FLOOR = 0.01  # of the largest one: a channel that was still in the calibration text may move in another


@dataclass(frozen=True)
class NormedLinear:
    """A norm's `gain` and `shift` (K,), and the `weight` (K, N) and `bias` (N,) of the one layer that reads it."""

    gain: Floats
    shift: Floats
    weight: Floats
    bias: Floats


def choose_factors(deviations: Floats, weight: Floats) -> Floats:
    """A factor (K,) for each channel from its standard deviation (K,) and its weights (K, N), around 1."""
    norms = np.linalg.norm(weight, axis=1)
    logarithms = STRENGTH * (take_logarithm(deviations) - take_logarithm(norms))
    factors: Floats = np.exp(logarithms - logarithms.mean()).astype(np.float32)
    return factors


def take_logarithm(sizes: Floats) -> Floats:
    logarithms: Floats = np.log(np.maximum(sizes, max(FLOOR * sizes.max(), SMALLEST)))
    return logarithms


def find_deviations(mean: Floats, hessian: Floats) -> Floats:
    """The standard deviation (K,) of each channel from its mean (K,) and the mean products of channels (K, K)."""
    deviations: Floats = np.sqrt(np.maximum(np.diagonal(hessian) - mean * mean, 0.0))
    return deviations


def migrate(layer: NormedLinear, mean: Floats, factors: Floats) -> NormedLinear:
    """The same function of the norm's input, with activations less `mean` (K,) and divided by `factors` (K,)."""
    return NormedLinear(
        gain=layer.gain / factors,
        shift=(layer.shift - mean) / factors,
        weight=layer.weight * factors[:, None],
        bias=layer.bias + mean @ layer.weight,
    )
