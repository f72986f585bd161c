"""Quantizes weights to integers of 8 or 7 bits with one scale for each output channel, in the layout of MatMulInteger.

scale = max|column| / 127, q = round(x / scale); |x - q * scale| <= scale * (1/2 + 2^-16), as for blocks of 8 bits.
With 7 bits the largest integer is 63. Two products with uint8, 2 * 255 * 63, then fit the 16 bits in which x86 without
VNNI adds them; with 127 they would be cut.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt2forge.quantize.blocks import LARGEST, SMALLEST, Floats, sum_squares
from gpt2forge.quantize.descent import descend_rows
from gpt2forge.quantize.gptq import Feedback, round_columns
from gpt2forge.quantize.scratch import Scratch


@dataclass(frozen=True)
class Rows:
    """Quantized rows: int8 `data` (R, N), and two sums of squares."""

    data: np.ndarray[Any, np.dtype[np.int8]]
    square_error: float
    square: float


def find_magnitudes(rows: Floats) -> Floats:
    """Return the largest magnitude (N,) in each column of `rows` (R, N)."""
    magnitudes: Floats = np.maximum(rows.max(axis=0), -rows.min(axis=0))
    return magnitudes


def scale_channels(magnitudes: Floats, bits: int) -> Floats:
    """Return the scale (N,) of each column. Raises ValueError if a magnitude (N,) is not finite."""
    if not np.isfinite(magnitudes).all():
        raise ValueError("a value is not finite")
    scales: Floats = magnitudes / LARGEST[bits]
    return np.maximum(scales, SMALLEST)


def quantize_rows(rows: Floats, scales: Floats, scratch: Scratch) -> Rows:
    """Quantize `rows` (R, N) by the scales (N,) of their columns.

    The data of the result is valid until the next use of `scratch`.
    """
    steps = np.divide(rows, scales, out=scratch.array("steps", rows.shape, np.float32))  # (R, N)
    np.rint(steps, out=steps)
    return finish_rows(rows, steps, scales, scratch)


def fit_columns(columns: Floats, scales: Floats, bits: int, feedback: Feedback, scratch: Scratch) -> Rows:
    """Quantize whole columns (K, N) by their scales (N,) to integers of `bits` bits, with the feedback of errors."""
    steps = round_columns(columns, scales[None], bits=bits, feedback=feedback)
    descend_rows(columns, steps, scales, bits=bits, hessian=feedback.hessian)
    return finish_rows(columns, steps, scales, scratch)


def finish_rows(rows: Floats, steps: Floats, scales: Floats, scratch: Scratch) -> Rows:
    """Convert the steps of `rows`, (R, N) each, to int8, and sum the squared errors; overwrites the steps."""
    data = scratch.array("rows", rows.shape, np.int8)
    np.copyto(data, steps, casting="unsafe")
    steps *= scales
    steps -= rows
    square_error = sum_squares(steps)
    np.copyto(steps, rows)
    return Rows(data, square_error, sum_squares(steps))
