"""Tests that the error of integers with one scale for each channel is bounded as their module says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.quantize.blocks import Floats
from gpt2forge.quantize.channel import find_magnitudes, quantize_rows, scale_channels
from gpt2forge.quantize.scheme_table import CHANNEL_BITS
from gpt2forge.quantize.scratch import Scratch
from tests.quantize.test_blocks import FLOAT32_LOSS, WEIGHTS


@given(WEIGHTS, st.sampled_from(list(CHANNEL_BITS.values())))
def test_error_is_bounded_by_half_the_scale(rows: Floats, bits: int) -> None:
    scales = scale_channels(find_magnitudes(rows), bits)
    steps = quantize_rows(rows, scales, Scratch()).data
    values = steps * scales.astype(np.float64)
    assert np.abs(steps.astype(int)).max(initial=0) < 2 ** (bits - 1)
    assert (np.abs(rows - values) <= scales * (0.5 + FLOAT32_LOSS)).all()


@given(WEIGHTS)
def test_magnitudes_of_parts_are_those_of_the_whole(rows: Floats) -> None:
    half = len(rows) // 2
    parts = [find_magnitudes(part) for part in (rows[:half], rows[half:]) if len(part)]
    np.testing.assert_array_equal(np.max(parts, axis=0), find_magnitudes(rows))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_value_that_is_not_finite_is_an_error(wrong: float) -> None:
    with pytest.raises(ValueError, match=r"^a value is not finite$"):
        scale_channels(np.array([1, wrong], np.float32), 8)
