"""Packs integer weights as `kernels.c` reads them, and multiplies them in NumPy, which decides what is right."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LANES = 16  # columns in a register, and in a tile
HALVES = 64  # values whose halves lie in the same bytes as those of the next 64
LARGEST = 127  # of an activation


@dataclass(frozen=True)
class Weights:
    """A matrix: `steps` (columns, length) uint8 and `scales` (columns, blocks) float32.

    The middle of the range of steps means 0.
    """

    bits: int
    steps: Array
    scales: Array

    @property
    def columns(self) -> int:
        return int(self.steps.shape[0])

    @property
    def length(self) -> int:
        return int(self.steps.shape[1])

    @property
    def blocks(self) -> int:
        return int(self.scales.shape[1])

    @property
    def block(self) -> int:
        return self.length // self.blocks

    @property
    def zero_point(self) -> int:
        return 1 << (self.bits - 1)


@dataclass(frozen=True)
class Packed:
    """The arrays of a matrix in one layout; `offsets` are empty where no kernel reads them."""

    data: Array
    scales: Array
    offsets: Array


def draw_weights(random: np.random.Generator, bits: int, columns: int, length: int, block: int) -> Weights:
    """Return random weights whose product with a row keeps the row's magnitude."""
    steps = random.integers(1, 1 << bits, (columns, length), np.uint8)
    spread = np.float32(12**0.5 / 2**bits / length**0.5)
    scales = spread * random.uniform(0.5, 1.5, (columns, length // block)).astype(np.float32)
    return Weights(bits, steps, scales)


def pack_columns(weights: Weights, group: int) -> Packed:
    """Return four columns side by side, as MLAS packs them; `group` scales of a column lie side by side."""
    columns, blocks = weights.columns, weights.blocks
    if weights.bits == 4:
        halves = weights.steps.reshape(columns, -1, 2, HALVES)
        data = halves[:, :, 0] | halves[:, :, 1] << 4  # (columns, length / 128, 64)
    else:
        data = weights.steps.reshape(columns, -1, 2 * HALVES)
    offsets = (-weights.zero_point * weights.scales).reshape(-1, LANES, blocks)
    return Packed(
        data.reshape(columns // 4, 4, *data.shape[1:]).swapaxes(1, 2),
        weights.scales.reshape(columns // 4, 4, blocks // group, group).swapaxes(1, 2),
        offsets.swapaxes(1, 2),
    )


def pack_lanes(weights: Weights) -> Packed:
    """Return each of 16 columns in a lane of its own, four values at a time: the tile of AMX."""
    data = weights.steps.reshape(-1, LANES, weights.length // 4, 4).swapaxes(1, 2)
    if weights.bits == 4:
        data = data[:, ::2] | data[:, 1::2] << 4
    scales = weights.scales.reshape(-1, LANES, weights.blocks).swapaxes(1, 2)
    return Packed(data, scales, np.empty(0, np.float32))


def multiply(x: Array, weights: Weights) -> Array:
    """Return the product (rows, columns) in float64, with activations in int8 and a scale for each of their blocks."""
    blocks = x.reshape(len(x), weights.blocks, weights.block)
    magnitudes = np.abs(blocks).max(axis=2, keepdims=True)
    integers = np.rint(blocks * (np.float32(LARGEST) / magnitudes)).astype(np.float64)  # (rows, blocks, block)
    steps = weights.steps.reshape(weights.columns, weights.blocks, weights.block).astype(np.float64)
    sums = integers.swapaxes(0, 1) @ (steps - weights.zero_point).transpose(1, 2, 0)  # (blocks, rows, columns)
    factors = magnitudes.astype(np.float64) / LARGEST * weights.scales.T  # (rows, blocks, columns)
    return np.asarray((sums * factors.swapaxes(0, 1)).sum(axis=0))
