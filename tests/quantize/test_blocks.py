"""Tests that the error of integers in blocks is bounded as their module says, for every block."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnxruntime.capi import _pybind_state as native

from gpt2forge.quantize.blocks import Floats, dequantize_blocks, quantize_blocks
from gpt2forge.quantize.scratch import Scratch

FLOAT32_LOSS = 2.0**-16
WEIGHTS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 70), st.integers(1, 4)),
    elements=st.floats(-(2.0**120), 2.0**120, width=32),
)


@given(WEIGHTS, st.sampled_from([16, 32, 64]), st.sampled_from([4, 8]))
def test_error_is_bounded_by_the_scale(columns: Floats, block: int, bits: int) -> None:
    blocks = quantize_blocks(columns, bits, block, Scratch())
    rows, width = columns.shape
    values = dequantize_blocks(blocks.data, blocks.scales, bits)[:, :rows].T.astype(np.float64)
    scales = np.repeat(blocks.scales.T, block, axis=0)[:rows].astype(np.float64)  # (K, N)
    assert blocks.data.shape == (width, -(-rows // block), block * bits // 8)
    steps = columns / scales
    bound = np.where((bits == 4) & (steps > 7.5), 1.0, 0.5) + FLOAT32_LOSS
    assert (np.abs(columns - values) <= np.abs(scales) * bound).all()


@given(WEIGHTS, st.sampled_from([16, 32]), st.sampled_from([4, 8]))
def test_scale_is_the_magnitude_by_the_levels(columns: Floats, block: int, bits: int) -> None:
    scales = quantize_blocks(columns, bits, block, Scratch()).scales
    padded = np.pad(columns, ((0, -len(columns) % block), (0, 0))).reshape(-1, block, columns.shape[1])
    magnitude = np.abs(padded).max(axis=1).T
    expected = np.maximum(magnitude / np.float32(127 if bits == 8 else 8), np.finfo(np.float32).tiny)
    np.testing.assert_array_equal(np.abs(scales), expected)


@pytest.mark.parametrize("bits", [4, 8])
def test_sums_of_squares_are_those_of_error_and_weights(bits: int) -> None:
    columns = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    blocks = quantize_blocks(columns, bits, 16, Scratch())
    values = dequantize_blocks(blocks.data, blocks.scales, bits)[:, :50].T
    assert blocks.square == pytest.approx((columns.astype(float) ** 2).sum(), rel=1e-5)
    assert blocks.square_error == pytest.approx(((columns - values).astype(float) ** 2).sum(), rel=1e-4)


@pytest.mark.parametrize("bits", [4, 8])
def test_zeros_stay_zeros(bits: int) -> None:
    blocks = quantize_blocks(np.zeros((20, 2), np.float32), bits, 16, Scratch())
    assert not dequantize_blocks(blocks.data, blocks.scales, bits).any()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_is_an_error(bits: int, wrong: float) -> None:
    columns = np.ones((20, 2), np.float32)
    columns[18, 1] = wrong
    with pytest.raises(ValueError, match=r"^a value is not finite$"):
        quantize_blocks(columns, bits, 16, Scratch())


def test_four_bits_agree_with_onnxruntime() -> None:
    columns = np.random.default_rng(1).standard_normal((64, 8)).astype(np.float32)
    data, scales = np.zeros((8, 2, 16), np.uint8), np.zeros(16, np.float32)
    native.quantize_matmul_4bits(data, columns, scales, np.zeros((8, 1), np.uint8), 32, 8, 64, True)
    blocks = quantize_blocks(columns, 4, 32, Scratch())
    np.testing.assert_allclose(blocks.scales, scales.reshape(8, 2), rtol=1e-6)
    assert (blocks.data == data).mean() > 0.98  # halves are rounded another way


def test_scratch_that_was_larger_gives_the_same() -> None:
    scratch, rng = Scratch(), np.random.default_rng(2)
    quantize_blocks(rng.standard_normal((64, 9)).astype(np.float32), 4, 16, scratch)
    columns = rng.standard_normal((40, 5)).astype(np.float32)
    again, fresh = quantize_blocks(columns, 4, 16, scratch), quantize_blocks(columns, 4, 16, Scratch())
    np.testing.assert_array_equal(again.data, fresh.data)
    np.testing.assert_array_equal(again.scales, fresh.scales)
