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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt2forge.quantize.scratch import Scratch

Floats = np.ndarray[Any, np.dtype[np.float32]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

SMALLEST = np.float32(np.finfo(np.float32).tiny)
LARGEST = {8: np.float32(127), 4: np.float32(7)}
LEAST = {8: np.float32(-127), 4: np.float32(-8)}


@dataclass(frozen=True)
class Blocks:
    """Quantized columns: `data` (N, blocks, block * bits / 8), `scales` (N, blocks), and two sums of squares."""

    data: Bytes
    scales: Floats
    square_error: float
    square: float


def count_blocks(length: int, block: int) -> int:
    return -(-length // block)


def cut(length: int, step: int) -> Iterator[slice]:
    """Cut a length into parts of `step`."""
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def round_steps(steps: Floats, bits: int) -> Floats:
    """Make whole numbers of `bits` bits of these, in place."""
    np.rint(steps, out=steps)
    np.maximum(steps, LEAST[bits], out=steps)  # np.clip does the same, and takes longer to start than a row is worth
    return np.minimum(steps, LARGEST[bits], out=steps)


def quantize_blocks(columns: Floats, bits: int, block: int, scratch: Scratch) -> Blocks:
    """Quantize each column of `columns` (K, N) by blocks of `block` rows; a short last block is filled with zeros.

    The result's data is good until `scratch` is used again. Raises ValueError where a value is not finite.
    """
    values = cut_blocks(columns, block, scratch)  # (blocks, block, N)
    scales = choose_scales(values, bits)  # (blocks, N)
    steps = np.divide(values, scales[:, None], out=scratch.array("steps", values.shape, np.float32))
    np.rint(steps, out=steps)
    np.minimum(steps, LARGEST[bits], out=steps)
    return finish_blocks(values, steps, scales, bits, scratch)


def finish_blocks(values: Floats, steps: Floats, scales: Floats, bits: int, scratch: Scratch) -> Blocks:
    """Pack the steps (blocks, block, N) that values of this shape became, and sum up what is lost; both are used up."""
    data = pack(steps, bits, scratch)  # (N, blocks, block * bits / 8)
    steps *= scales[:, None]
    steps -= values
    return Blocks(data, np.ascontiguousarray(scales.T), sum_squares(steps), sum_squares(values))


def cut_blocks(columns: Floats, block: int, scratch: Scratch) -> Floats:
    """A copy of `columns` (K, N) as (blocks, block, N)."""
    rows, width = columns.shape
    values = scratch.array("values", (count_blocks(rows, block) * block, width), np.float32)
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


def pack(steps: Floats, bits: int, scratch: Scratch) -> Bytes:
    """Integers (blocks, block, N) as bytes (N, blocks, block * bits / 8); of two 4-bit ones the first lies low."""
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
    """The sum of the squares of (..., rows, N), which are left in place of `values`.

    It is the same on every processor: rows are added one after the other, columns beside each other, and float32
    ends there; a sum over all at once would be grouped as the processor's registers are wide.
    """
    with np.errstate(over="ignore"):  # beyond 1e19 the error cannot be told, and the weights mean nothing
        np.square(values, out=values)
    return float(values.sum(axis=-2).sum(dtype=np.float64))


def dequantize_blocks(data: Bytes, scales: Floats, bits: int) -> Floats:
    """The values (N, blocks * block) that `data` (N, blocks, block * bits / 8) and `scales` (N, blocks) stand for."""
    stored = data if bits == 8 else np.stack((data & 15, data >> 4), axis=-1).reshape(*data.shape[:2], -1)
    steps = stored.astype(np.float32) - np.float32(1 << (bits - 1))  # (N, blocks, block)
    values: Floats = steps * scales[..., None]
    return values.reshape(len(values), -1)
