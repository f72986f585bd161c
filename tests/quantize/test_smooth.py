"""Tests that smoothing changes the quantized values but not the function."""

from dataclasses import dataclass

import numpy as np
import pytest

from gpt2forge.quantize.blocks import Floats
from gpt2forge.quantize.smooth import choose_factors, choose_smoothing

ROWS, WIDTH, COLUMNS = 400, 48, 20


@dataclass(frozen=True)
class NormedLinear:
    """A norm's `gain` and `shift` (K,), and the `weight` (K, N) and `bias` (N,) of the layer that reads it."""

    gain: Floats
    shift: Floats
    weight: Floats
    bias: Floats


@pytest.fixture
def normed() -> Floats:
    """Return the values of a norm before its gain and shift."""
    x = np.random.default_rng(1).standard_normal((ROWS, WIDTH))
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    return np.asarray(x, np.float32)


@pytest.fixture
def layer() -> NormedLinear:
    """Make a layer with one large channel and one far from 0, as in trained models."""
    random = np.random.default_rng(0)
    gain, shift = random.uniform(0.5, 1.5, WIDTH), random.normal(0, 0.1, WIDTH)
    gain[3], shift[5] = 9.0, 12.0
    weight = random.normal(0, 0.1, (WIDTH, COLUMNS))
    return NormedLinear(*(np.asarray(each, np.float32) for each in (gain, shift, weight, random.normal(size=COLUMNS))))


def activate(layer: NormedLinear, normed: Floats) -> Floats:
    return normed * layer.gain + layer.shift


def apply(layer: NormedLinear, x: Floats) -> Floats:
    return np.asarray(x @ layer.weight + layer.bias)


def round_rows(x: Floats) -> Floats:
    scales = np.abs(x).max(1, keepdims=True) / np.float32(127)
    return np.asarray(np.rint(x / scales) * scales)


def smooth(layer: NormedLinear, normed: Floats) -> NormedLinear:
    x = activate(layer, normed)
    smoothing = choose_smoothing(x.mean(0), np.square(x).mean(0), layer.weight)
    return NormedLinear(
        smoothing.smooth_gain(layer.gain),
        smoothing.smooth_shift(layer.shift),
        smoothing.smooth_weight(layer.weight),
        smoothing.smooth_bias(layer.bias, layer.weight),
    )


def test_function_is_the_same(layer: NormedLinear, normed: Floats) -> None:
    smoothed = smooth(layer, normed)
    expected = apply(layer, activate(layer, normed))
    np.testing.assert_allclose(apply(smoothed, activate(smoothed, normed)), expected, atol=1e-4)


def test_rounded_activations_lose_less(layer: NormedLinear, normed: Floats) -> None:
    expected = apply(layer, activate(layer, normed))

    def lose(each: NormedLinear) -> float:
        return float(np.square(apply(each, round_rows(activate(each, normed))) - expected).mean())

    assert lose(smooth(layer, normed)) < 0.3 * lose(layer)


def test_products_of_channels_are_smoothed_with_them(layer: NormedLinear, normed: Floats) -> None:
    x = activate(layer, normed)
    smoothed = activate(smooth(layer, normed), normed)
    smoothing = choose_smoothing(x.mean(0), np.square(x).mean(0), layer.weight)
    np.testing.assert_allclose(
        smoothing.smooth_hessian(x.T @ x / ROWS), smoothed.T @ smoothed / ROWS, rtol=1e-2, atol=1e-3
    )


def test_channels_without_spread_or_weight_have_finite_factors(layer: NormedLinear) -> None:
    weight = layer.weight.copy()
    weight[0] = 0
    factors = choose_factors(np.zeros(WIDTH, np.float32), weight)
    assert np.isfinite(factors).all() and factors.max() < 20 * factors.min()
