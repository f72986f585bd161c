"""Integers of 8 or 4 bits with one scale for each block of weights: the numbers, and nothing of graphs or files.

The format is that of MatMulNBits with its default zero point: stored = q + 2^(bits-1), value = q * scale. See
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits

* 8 bits: scale = max|x| / 127 and q = round(x / scale), -127 ... 127. Then |x - value| <= scale * (1/2 + 2^-16).
* 4 bits: scale = -extreme / 8, where extreme is the block's value of the largest magnitude, with its sign; so it
  becomes -8, which has no positive twin, and no step is lost. q = min(round(x / scale), 7). Then |x - value| <=
  |scale| * (1/2 + 2^-16) where x / scale <= 7.5, and |scale| * (1 + 2^-16) where an opposite value is cut to 7.
  On a trained model this leaves 11 % less error than scale = max|x| / 7.

The 2^-16 is what float32 loses in the quotient and in the product. Scales below the smallest normal number (a block of
zeros) are raised to it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

SMALLEST = np.float32(np.finfo(np.float32).tiny)
LARGEST = {8: np.float32(127), 4: np.float32(7)}


@dataclass(frozen=True)
class Blocks:
    """Quantized columns: `data` (N, blocks, block * bits / 8), `scales` (N, blocks), and two sums of squares."""

    data: Bytes
    scales: Floats
    square_error: float
    square: float


def count_blocks(length: int, block: int) -> int:
    return -(-length // block)


def quantize_blocks(columns: Floats, bits: int, block: int) -> Blocks:
    """Quantize each column of `columns` (K, N) by blocks of `block` rows; a short last block is filled with zeros.

    Raises ValueError where a value is not finite.
    """
    values = cut_blocks(columns, block)  # (blocks, block, N)
    scales = choose_scales(values, bits)  # (blocks, N)
    spread = scales[:, None, :]  # (blocks, 1, N)
    steps = values / spread  # (blocks, block, N)
    np.rint(steps, out=steps)
    np.minimum(steps, LARGEST[bits], out=steps)
    square = sum_squares(values)
    values -= steps * spread
    stored = pack(steps, bits)  # (blocks, block * bits / 8, N)
    return Blocks(
        np.ascontiguousarray(stored.transpose(2, 0, 1)), np.ascontiguousarray(scales.T), sum_squares(values), square
    )


def cut_blocks(columns: Floats, block: int) -> Floats:
    """A copy of `columns` (K, N) as (blocks, block, N)."""
    rows, width = columns.shape
    values = np.empty((count_blocks(rows, block) * block, width), np.float32)
    values[:rows] = columns
    values[rows:] = 0
    return values.reshape(-1, block, width)


def choose_scales(values: Floats, bits: int) -> Floats:
    """One scale (blocks, N) for each block of (blocks, block, N); raises ValueError where a value is not finite."""
    highest, lowest = values.max(axis=1), values.min(axis=1)  # (blocks, N)
    if not (np.isfinite(highest).all() and np.isfinite(lowest).all()):
        raise ValueError("a value is not finite")
    if bits == 8:
        scales: Floats = np.maximum(highest, -lowest) / LARGEST[8]
        return np.maximum(scales, SMALLEST)
    scales = np.where(highest > -lowest, highest, lowest) / np.float32(-8)
    return np.where(np.abs(scales) < SMALLEST, SMALLEST, scales)


def pack(steps: Floats, bits: int) -> Bytes:
    """Integers (blocks, block, N) as bytes, of two 4-bit ones the first in the low half; uses up `steps`."""
    steps += np.float32(1 << (bits - 1))
    stored = steps.astype(np.uint8)
    if bits == 8:
        return stored
    low, high = stored[:, 0::2], stored[:, 1::2]
    packed: Bytes = low | np.left_shift(high, 4, dtype=np.uint8)
    return packed


def sum_squares(values: Floats) -> float:
    """In an order that depends on the shape alone."""
    return float(np.einsum("ijk,ijk->", values, values))


def dequantize_blocks(data: Bytes, scales: Floats, bits: int) -> Floats:
    """The values (N, blocks * block) that `data` (N, blocks, block * bits / 8) and `scales` (N, blocks) stand for."""
    stored = data if bits == 8 else np.stack((data & 15, data >> 4), axis=-1).reshape(*data.shape[:2], -1)
    steps = stored.astype(np.float32) - np.float32(1 << (bits - 1))  # (N, blocks, block)
    values: Floats = steps * scales[..., None]
    return values.reshape(len(values), -1)
