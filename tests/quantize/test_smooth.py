"""Migration changes what is quantized and nothing of what is computed."""

from dataclasses import dataclass

import numpy as np
import pytest

from gpt2forge.quantize.blocks import Floats
from gpt2forge.quantize.smooth import choose_factors, choose_migration

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
    migration = choose_migration(x.mean(0), np.square(x).mean(0), layer.weight)
    return NormedLinear(
        migration.move_gain(layer.gain),
        migration.move_shift(layer.shift),
        migration.move_weight(layer.weight),
        migration.move_bias(layer.bias, layer.weight),
    )


def test_function_is_the_same(layer: NormedLinear, normed: Floats) -> None:
    moved = move(layer, normed)
    expected = apply(layer, activate(layer, normed))
    np.testing.assert_allclose(apply(moved, activate(moved, normed)), expected, atol=1e-4)


def test_rounded_activations_lose_less(layer: NormedLinear, normed: Floats) -> None:
    expected = apply(layer, activate(layer, normed))

    def lose(each: NormedLinear) -> float:
        return float(np.square(apply(each, round_rows(activate(each, normed))) - expected).mean())

    assert lose(move(layer, normed)) < 0.3 * lose(layer)


def test_products_of_channels_move_with_them(layer: NormedLinear, normed: Floats) -> None:
    x = activate(layer, normed)
    moved = activate(move(layer, normed), normed)
    migration = choose_migration(x.mean(0), np.square(x).mean(0), layer.weight)
    np.testing.assert_allclose(migration.move_hessian(x.T @ x / ROWS), moved.T @ moved / ROWS, rtol=1e-2, atol=1e-3)


def test_channels_without_spread_or_weight_have_finite_factors(layer: NormedLinear) -> None:
    weight = layer.weight.copy()
    weight[0] = 0
    factors = choose_factors(np.zeros(WIDTH, np.float32), weight)
    assert np.isfinite(factors).all() and factors.max() < 20 * factors.min()
