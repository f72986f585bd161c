"""Rounds the weights of a linear layer so that their errors cancel on a calibration text.

With H the mean of x xᵀ over the layer's inputs, the mean cost of the errors e of a column of weights is eᵀ H e. Let
H = Tᵀ T, T upper triangular: the cost is the sum over i of (T_ii e_i + sum over j > i of T_ij e_j)². So weights are
rounded from the last to the first. Before its rounding each weight i is moved by T_ij / T_ii times the errors e_j of
the weights rounded before it. The inputs are ordered by their mean square, so that the largest are rounded first and
the others compensate for them.

See GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers,
https://arxiv.org/abs/2210.17323. The Geometry of LLM Quantization, https://arxiv.org/abs/2507.18553, shows that this
back substitution is equivalent to the inverse Hessian of GPTQ.
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

DAMPING = 0.01  # of the mean of H's diagonal, added to all of it, because the text covers some inputs too little
PANEL = 128  # rows of T that are computed between two products with all earlier rows
TILE = 64  # columns that are mirrored at once, few enough for a cache
TRIES = {4: np.linspace(0.75, 1.0, 6, dtype=np.float32), 8: np.ones(1, np.float32)}
"""Fractions of the scale that clips nothing; with 8 bits a step is so small that clipping never pays."""


@dataclass(frozen=True)
class Feedback:
    """The rule by which errors move other weights.

    `order` (K,) sorts the inputs by their mean square, smallest first. `factors` (K, K) is T, each row divided by T_ii.
    `hessian` (K, K) is the damped H, in the original order of the inputs.
    """

    order: np.ndarray[Any, np.dtype[np.int64]]
    factors: Floats
    hessian: Floats


def make_feedback(hessian: Floats) -> Feedback:
    """Make the feedback from H (K, K), which is damped in place. Raises ValueError if a value is not finite."""
    if not np.isfinite(hessian).all():
        raise ValueError("the statistics of its inputs are not finite")
    diagonal = hessian.diagonal().copy()
    order = np.argsort(diagonal, kind="stable")
    hessian[np.diag_indices_from(hessian)] += np.float32(DAMPING) * diagonal.mean() + SMALLEST
    damped = (
        hessian[order].take(order, axis=1).astype(np.float64)
    )  # float32 could make it indefinite in spite of the damping
    return Feedback(order, find_factors(damped), hessian)


def find_factors(matrix: Doubles) -> Floats:
    """Return T of a positive definite `matrix` (K, K), each row divided by T_ii; overwrites the matrix.

    np.linalg.cholesky of the whole matrix would copy it twice and take twice as long.
    """
    factors = np.zeros(matrix.shape, np.float32)
    for start in range(0, len(matrix), PANEL):
        above, panel = matrix[:start, start:], matrix[start : start + PANEL, start:]  # (start, M), (PANEL, M)
        panel -= above[:, : len(panel)].T @ above
        corner = np.linalg.cholesky(panel[:, : len(panel)], upper=True)
        panel[:] = np.linalg.inv(corner.T) @ panel
        np.divide(panel, corner.diagonal()[:, None], out=factors[start : start + PANEL, start:], casting="same_kind")
    return factors


def unpack_triangle(packed: Floats) -> Floats:
    """Return the symmetric matrix (K, K) of a lower triangle (K * (K + 1) / 2,) that is stored row by row."""
    width = int((2 * len(packed)) ** 0.5)
    packed = np.asarray(packed)  # slicing a memmap takes ten times as long
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
    """Quantize columns as `quantize_blocks` does, with the feedback of errors if it is given."""
    if feedback is None:
        return quantize_blocks(columns, bits, block, scratch)
    values = cut_blocks(columns, block, scratch)  # (blocks, block, N)
    scales = search_scales(values, bits)  # (blocks, N)
    steps = scratch.array("steps", values.shape, np.float32)
    flat = steps.reshape(-1, values.shape[2])
    flat[: len(columns)] = round_columns(columns, scales.repeat(block, axis=0)[: len(columns)], bits, feedback)
    descend(columns, flat[: len(columns)], scales, bits=bits, block=block, hessian=feedback.hessian)
    flat[len(columns) :] = 0
    return finish_blocks(values, steps, scales, bits=bits, scratch=scratch)


def round_columns(columns: Floats, scales: Floats, bits: int, feedback: Feedback) -> Floats:
    """Return the integer steps (K, N) of `columns` (K, N) by the scale of each weight, (K, N) or (1, N)."""
    columns, scales = np.asarray(columns), np.broadcast_to(scales, columns.shape)  # as in `unpack_triangle`
    moved, steps = columns[feedback.order], np.empty_like(columns)
    rounding = Rounding(columns, scales, bits=bits, feedback=feedback, moved=moved, steps=steps)
    rounding.round_rows(0, len(columns))
    return rounding.steps


@dataclass(frozen=True)
class Rounding:
    """Columns (K, N) that are being rounded by their scales (K, N); `steps` (K, N) is the result.

    The rows of `moved` (K, N) are in the order of the feedback: first weights, moved by the errors so far, then the
    errors of the weights that are already rounded.
    """

    columns: Floats
    scales: Floats
    bits: int
    feedback: Feedback
    moved: Floats
    steps: Floats

    def round_rows(self, start: int, stop: int) -> None:
        """Round rows from the last to the first; the errors of all rows from `stop` on have already moved them.

        It goes by halves, so that nearly all work is in products of large matrices.
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
    """Return the scale (blocks, N) with the least square error among TRIES, for each block of (blocks, block, N)."""
    widest = choose_scales(values, bits)  # (blocks, N)
    if len(TRIES[bits]) == 1:
        return widest
    pairs = zip(values, widest, strict=True)  # block by block, so that a core's cache holds it for all tries
    return np.stack([search_scale(block, TRIES[bits][:, None] * scales, bits) for block, scales in pairs])


def search_scale(block: Floats, tried: Floats, bits: int) -> Floats:
    """Return the first scale (N,) with the least square error among `tried` (tries, N), for a block (block, N)."""
    least = np.argmin([compute_square_error(block, scales, bits) for scales in tried], axis=0)  # (N,)
    best: Floats = np.take_along_axis(tried, least[None], axis=0)[0]
    return best


def compute_square_error(block: Floats, scales: Floats, bits: int) -> Floats:
    """Return the square error (N,) of a block (block, N) that is rounded to the nearest step."""
    errors = to_steps(block, scales, bits)
    errors *= scales
    errors -= block
    np.square(errors, out=errors)
    error: Floats = errors.sum(axis=0)
    return error
