"""Quantizes weights to integers of 8 or 4 bits with one scale for each block; only arithmetic, no graphs or files.

The format is that of MatMulNBits with its default zero point: stored = q + 2^(bits-1), value = q * scale. See
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits

* 8 bits: scale = max|x| / 127 and q = round(x / scale), -127 ... 127. Then |x - value| <= scale * (1/2 + 2^-16).
* 4 bits: scale = -extreme / 8, where extreme is the value of the largest magnitude in the block, with its sign. So it
  becomes -8, which has no positive counterpart, and no step is unused. q = min(round(x / scale), 7). Then |x - value|
  <= |scale| * (1/2 + 2^-16) where x / scale <= 7.5, and |scale| * (1 + 2^-16) where an opposite value is cut to 7.
  On a trained model the error is 11 % smaller than with scale = max|x| / 7.

The 2^-16 is the rounding of float32 in the quotient and in the product. A scale below the smallest normal number (of a
block of zeros) is raised to that number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt2forge.quantize.scratch import Scratch

Floats = np.ndarray[Any, np.dtype[np.float32]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

SMALLEST = np.float32(np.finfo(np.float32).tiny)
LARGEST = {8: np.float32(127), 7: np.float32(63), 4: np.float32(7)}
LEAST = {8: np.float32(-127), 7: np.float32(-63), 4: np.float32(-8)}


@dataclass(frozen=True)
class Blocks:
    """Quantized columns: `data` (N, blocks, block * bits / 8), `scales` (N, blocks), and two sums of squares."""

    data: Bytes
    scales: Floats
    square_error: float
    square: float


def count_blocks(length: int, block: int) -> int:
    """Return how many blocks a length has; the last one may be short."""
    return -(-length // block)


def cut_slices(length: int, step: int) -> Iterator[slice]:
    """Yield slices of `step` that cover a length; the last one may be short."""
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def round_steps(steps: Floats, bits: int) -> Floats:
    """Round to integers of `bits` bits, in place."""
    np.rint(steps, out=steps)
    np.maximum(steps, LEAST[bits], out=steps)  # np.clip does the same, but its call takes longer than a row
    return np.minimum(steps, LARGEST[bits], out=steps)


def quantize_blocks(columns: Floats, bits: int, block: int, scratch: Scratch) -> Blocks:
    """Quantize each column of `columns` (K, N) in blocks of `block` rows; a short last block is padded with zeros.

    The data of the result is valid until the next use of `scratch`. Raises ValueError if a value is not finite.
    """
    values = cut_blocks(columns, block, scratch)  # (blocks, block, N)
    scales = choose_scales(values, bits)  # (blocks, N)
    steps = np.divide(values, scales[:, None], out=scratch.array("steps", values.shape, np.float32))
    np.rint(steps, out=steps)
    np.minimum(steps, LARGEST[bits], out=steps)
    return finish_blocks(values, steps, scales, bits=bits, scratch=scratch)


def finish_blocks(values: Floats, steps: Floats, scales: Floats, bits: int, scratch: Scratch) -> Blocks:
    """Pack the steps of `values`, (blocks, block, N) each, and sum the squared errors; overwrites both arrays."""
    data = pack_integers(steps, bits, scratch)  # (N, blocks, block * bits / 8)
    steps *= scales[:, None]
    steps -= values
    return Blocks(data, np.ascontiguousarray(scales.T), sum_squares(steps), sum_squares(values))


def cut_blocks(columns: Floats, block: int, scratch: Scratch) -> Floats:
    """Copy `columns` (K, N) into blocks, (blocks, block, N), padded with zeros."""
    rows, width = columns.shape
    values = scratch.array("values", (count_blocks(rows, block) * block, width), np.float32)
    values[:rows] = columns
    values[rows:] = 0
    return values.reshape(-1, block, width)


def choose_scales(values: Floats, bits: int) -> Floats:
    """Return a scale (blocks, N) for each block of (blocks, block, N). Raises ValueError if a value is not finite."""
    highest, lowest = values.max(axis=1), values.min(axis=1)  # (blocks, N)
    if not (np.isfinite(highest).all() and np.isfinite(lowest).all()):
        raise ValueError("a value is not finite")
    if bits == 8:
        scales: Floats = np.maximum(highest, -lowest) / LARGEST[8]
        return np.maximum(scales, SMALLEST)
    scales = np.where(highest > -lowest, highest, lowest) / np.float32(-8)
    return np.where(np.abs(scales) < SMALLEST, SMALLEST, scales)


def pack_integers(steps: Floats, bits: int, scratch: Scratch) -> Bytes:
    """Pack integers (blocks, block, N) into bytes (N, blocks, block * bits / 8); of two 4-bit ones the first is low."""
    stored = scratch.array("stored", steps.shape, np.uint8)  # (blocks, block, N)
    np.add(steps, np.float32(1 << (bits - 1)), out=stored, casting="unsafe")
    if bits == 4:
        low, high = stored[:, 0::2], stored[:, 1::2]
        np.left_shift(high, 4, out=high)
        stored = np.bitwise_or(low, high, out=scratch.array("packed", low.shape, np.uint8))  # (blocks, block / 2, N)
    count, size, width = stored.shape
    data = scratch.array("data", (width, count, size), np.uint8)
    np.copyto(data, stored.transpose(2, 0, 1))
    return data


def sum_squares(values: Floats) -> float:
    """Sum the squares of `values` (..., rows, N), which the squares replace.

    The sum is the same on every processor: float32 sums add rows one after the other, and float64 sums add the rest.
    A float32 sum over all values would depend on the width of the processor's registers.
    """
    with np.errstate(over="ignore"):  # above 1e19 the error is unknown, but such weights are useless anyway
        np.square(values, out=values)
    return float(values.sum(axis=-2).sum(dtype=np.float64))


def dequantize_blocks(data: Bytes, scales: Floats, bits: int) -> Floats:
    """Return the values (N, blocks * block) of `data` (N, blocks, block * bits / 8) and `scales` (N, blocks)."""
    stored = data if bits == 8 else np.stack((data & 15, data >> 4), axis=-1).reshape(*data.shape[:2], -1)
    steps = stored.astype(np.float32) - np.float32(1 << (bits - 1))  # (N, blocks, block)
    values: Floats = steps * scales[..., None]
    return values.reshape(len(values), -1)
