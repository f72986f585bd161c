"""Migration changes what is quantized and nothing of what is computed."""

import numpy as np
import pytest

from gpt2forge.graph.quantize.blocks import Floats
from gpt2forge.graph.quantize.migration import NormedLinear, choose_factors, find_deviations, migrate

ROWS, WIDTH, COLUMNS = 400, 48, 20


@pytest.fixture
def normed() -> Floats:
    """What a norm gives before its gain and shift."""
    x = np.random.default_rng(1).standard_normal((ROWS, WIDTH))
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    return np.asarray(x, np.float32)


@pytest.fixture
def layer() -> NormedLinear:
    """One of the channels is large, and one far from 0, as in trained models."""
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


def move(layer: NormedLinear, normed: Floats) -> NormedLinear:
    x = activate(layer, normed)
    mean, hessian = x.mean(0), x.T @ x / np.float32(len(x))
    return migrate(layer, mean, choose_factors(find_deviations(mean, hessian), layer.weight))


def test_function_is_the_same(layer: NormedLinear, normed: Floats) -> None:
    moved = move(layer, normed)
    expected = apply(layer, activate(layer, normed))
    np.testing.assert_allclose(apply(moved, activate(moved, normed)), expected, atol=1e-4)


def test_rounded_activations_lose_less(layer: NormedLinear, normed: Floats) -> None:
    expected = apply(layer, activate(layer, normed))

    def lose(each: NormedLinear) -> float:
        return float(np.square(apply(each, round_rows(activate(each, normed))) - expected).mean())

    assert lose(move(layer, normed)) < 0.3 * lose(layer)


def test_deviations_are_those_of_the_values(layer: NormedLinear, normed: Floats) -> None:
    x = activate(layer, normed)
    np.testing.assert_allclose(find_deviations(x.mean(0), x.T @ x / np.float32(len(x))), x.std(0), rtol=2e-2)


def test_channels_without_spread_or_weight_have_finite_factors(layer: NormedLinear) -> None:
    weight = layer.weight.copy()
    weight[0] = 0
    factors = choose_factors(np.zeros(WIDTH, np.float32), weight)
    assert np.isfinite(factors).all() and factors.max() < 20 * factors.min()
