"""Tests that the error of float16 is bounded as its module says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpt2forge.quantize.blocks import Floats
from gpt2forge.quantize.float16 import round_to_float16

VALUES = hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(-65504, 65504, width=32))


@given(VALUES)
def test_error_is_bounded(values: Floats) -> None:
    errors = np.abs(round_to_float16(values).astype(np.float64) - values)
    assert (errors <= np.maximum(np.abs(values.astype(np.float64)) * 2.0**-11, 2.0**-25)).all()


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [(np.nan, "not finite"), (-np.inf, "not finite"), (65520, "beyond 65504"), (-1e30, "beyond 65504")],
)
def test_value_that_it_cannot_hold_is_an_error(wrong: float, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        round_to_float16(np.array([1, wrong], np.float32))
