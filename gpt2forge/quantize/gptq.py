"""Rounds the weights of a linear layer so that their errors cancel on a calibration text: the numbers.

With H the mean of x xᵀ over the layer's inputs, an error e of a column of weights costs eᵀ H e on average. Let
H = Tᵀ T, T upper triangular: the cost is the sum over i of (T_ii e_i + sum over j > i of T_ij e_j)². So weights are
rounded from the last to the first, each after it was moved by what the ones before it have cost: T_ij / T_ii of their
errors. The inputs are ordered by their mean square: the ones that weigh most are rounded first, and the others make up
for them.

GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers, https://arxiv.org/abs/2210.17323;
that this back substitution does the same as its inverse Hessian: The Geometry of LLM Quantization,
https://arxiv.org/abs/2507.18553.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt2forge.quantize.blocks import (
    SMALLEST,
    Blocks,
    Floats,
    choose_scales,
    cut_blocks,
    finish_blocks,
    quantize_blocks,
    round_steps,
)
from gpt2forge.quantize.descent import descend
from gpt2forge.quantize.scratch import Scratch

Doubles = np.ndarray[Any, np.dtype[np.float64]]

DAMPING = 0.01  # of the mean of H's diagonal, added to all of it: what the text says little of is not trusted
PANEL = 128  # rows of T that are made between two products with all the rows before
TILE = 64  # columns that are mirrored at once: what a cache holds of them is used up before it is replaced
TRIES = {4: np.linspace(0.75, 1.0, 6, dtype=np.float32), 8: np.ones(1, np.float32)}
"""Parts of the scale that leaves nothing cut off; of 8 bits a step is so small that cutting off never pays."""


@dataclass(frozen=True)
class Feedback:
    """How errors move weights: `order` (K,) of the inputs, least first; `factors` (K, K), T with each row over T_ii.

    `hessian` (K, K) is H with its damping, in the order of the inputs.
    """

    order: np.ndarray[Any, np.dtype[np.int64]]
    factors: Floats
    hessian: Floats


def make_feedback(hessian: Floats) -> Feedback:
    """From H (K, K), which gets its damping; raises ValueError where a value is not finite."""
    if not np.isfinite(hessian).all():
        raise ValueError("the statistics of its inputs are not finite")
    diagonal = hessian.diagonal().copy()
    order = np.argsort(diagonal, kind="stable")
    hessian[np.diag_indices_from(hessian)] += np.float32(DAMPING) * diagonal.mean() + SMALLEST
    damped = hessian[order].take(order, axis=1).astype(np.float64)  # float32 may lose what the damping leaves positive
    return Feedback(order, find_factors(damped), hessian)


def find_factors(matrix: Doubles) -> Floats:
    """T of a positive definite `matrix` (K, K), each row over T_ii; the matrix is used up.

    Rows of T take the place of the matrix's; np.linalg.cholesky of all of it copies it twice and takes twice as long.
    """
    factors = np.zeros(matrix.shape, np.float32)
    for start in range(0, len(matrix), PANEL):
        above, panel = matrix[:start, start:], matrix[start : start + PANEL, start:]  # (start, M), (PANEL, M)
        panel -= above[:, : len(panel)].T @ above
        corner = np.linalg.cholesky(panel[:, : len(panel)], upper=True)
        panel[:] = np.linalg.inv(corner.T) @ panel
        np.divide(panel, corner.diagonal()[:, None], out=factors[start : start + PANEL, start:], casting="same_kind")
    return factors


def unpack(packed: Floats) -> Floats:
    """The symmetric matrix (K, K) of its lower triangle (K * (K + 1) / 2,), which lies there row by row."""
    width = int((2 * len(packed)) ** 0.5)
    packed = np.asarray(packed)  # a part of a memmap takes ten times as long to cut out
    matrix = np.zeros((width, width), np.float32)
    for row in range(width):
        first = row * (row + 1) // 2
        matrix[row, : row + 1] = packed[first : first + row + 1]
    for start in range(0, width, TILE):
        tile = slice(start, start + TILE)
        matrix[:start, tile] = matrix[tile, :start].T
        matrix[tile, tile] += np.tril(matrix[tile, tile], -1).T
    return matrix


def quantize_columns(columns: Floats, bits: int, block: int, feedback: Feedback | None, scratch: Scratch) -> Blocks:
    """What `quantize_blocks` does, with the feedback of errors where there is any."""
    if feedback is None:
        return quantize_blocks(columns, bits, block, scratch)
    values = cut_blocks(columns, block, scratch)  # (blocks, block, N)
    scales = search_scales(values, bits)  # (blocks, N)
    steps = scratch.array("steps", values.shape, np.float32)
    flat = steps.reshape(-1, values.shape[2])
    flat[: len(columns)] = round_columns(columns, scales.repeat(block, axis=0)[: len(columns)], bits, feedback)
    descend(columns, flat[: len(columns)], scales, bits, block, feedback.hessian)
    flat[len(columns) :] = 0
    return finish_blocks(values, steps, scales, bits, scratch)


def round_columns(columns: Floats, scales: Floats, bits: int, feedback: Feedback) -> Floats:
    """The steps (K, N), whole numbers, of `columns` (K, N) by the scales of each weight, (K, N) or (1, N)."""
    columns, scales = np.asarray(columns), np.broadcast_to(scales, columns.shape)  # as in `unpack`
    rounding = Rounding(columns, scales, bits, feedback, columns[feedback.order], np.empty_like(columns))
    rounding.round_rows(0, len(columns))
    return rounding.steps


@dataclass(frozen=True)
class Rounding:
    """Columns (K, N) that are being rounded by their scales (K, N); `steps` (K, N) is what comes out.

    Rows of `moved` (K, N) are in the order of the feedback: weights, moved by the errors so far, and behind them those
    errors, each in the place of its weight.
    """

    columns: Floats
    scales: Floats
    bits: int
    feedback: Feedback
    moved: Floats
    steps: Floats

    def round_rows(self, start: int, stop: int) -> None:
        """Round these rows, the last first; the errors of all that are behind `stop` have moved them.

        By halves: nearly all of the work is in products of large matrices.
        """
        if stop - start == 1:
            return self.round_row(start)
        middle = (start + stop) // 2
        self.round_rows(middle, stop)
        self.moved[start:middle] += self.feedback.factors[start:middle, middle:stop] @ self.moved[middle:stop]
        return self.round_rows(start, middle)

    def round_row(self, row: int) -> None:
        place, moved = self.feedback.order[row], self.moved[row]  # (N,)
        scales = self.scales[place]
        steps = to_steps(moved, scales, self.bits)
        self.steps[place] = steps
        np.multiply(steps, scales, out=moved)
        np.subtract(self.columns[place], moved, out=moved)


def to_steps(values: Floats, scales: Floats, bits: int) -> Floats:
    return round_steps(values / scales, bits)


def search_scales(values: Floats, bits: int) -> Floats:
    """The scale (blocks, N) of each block of (blocks, block, N), among TRIES the one with the least square error."""
    widest = choose_scales(values, bits)  # (blocks, N)
    if len(TRIES[bits]) == 1:
        return widest
    pairs = zip(values, widest, strict=True)  # one block after the other: a core's cache holds it through all tries
    return np.stack([search_scale(block, TRIES[bits][:, None] * scales, bits) for block, scales in pairs])


def search_scale(block: Floats, tried: Floats, bits: int) -> Floats:
    """The scale (N,) of each column of a block (block, N), among (tries, N) the first with the least square error."""
    least = np.argmin([find_error(block, scales, bits) for scales in tried], axis=0)  # (N,)
    best: Floats = np.take_along_axis(tried, least[None], axis=0)[0]
    return best


def find_error(block: Floats, scales: Floats, bits: int) -> Floats:
    """The square error (N,) of a block (block, N) that is rounded to the nearest step."""
    errors = to_steps(block, scales, bits)
    errors *= scales
    errors -= block
    np.square(errors, out=errors)
    error: Floats = errors.sum(axis=0)
    return error
