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

from gpt2forge.graph.quantize.blocks import (
    LARGEST,
    LEAST,
    SMALLEST,
    Blocks,
    Floats,
    choose_scales,
    cut_blocks,
    finish_blocks,
    quantize_blocks,
)
from gpt2forge.graph.quantize.descent import descend
from gpt2forge.graph.quantize.scratch import Scratch

DAMPING = 0.01  # of the mean of H's diagonal, added to all of it: what the text says little of is not trusted
ROWS = 128  # rounded between two products with all the rows before
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
    """From H (K, K); raises ValueError where a value is not finite."""
    if not np.isfinite(hessian).all():
        raise ValueError("the statistics of its inputs are not finite")
    diagonal = hessian.diagonal().copy()
    order = np.argsort(diagonal, kind="stable")
    hessian = hessian.copy()
    hessian[np.diag_indices_from(hessian)] += np.float32(DAMPING) * diagonal.mean() + SMALLEST
    # float32 may lose what the damping leaves positive
    lower = np.linalg.cholesky(hessian[np.ix_(order, order)].astype(np.float64))
    return Feedback(order, np.ascontiguousarray((lower / lower.diagonal()).T, np.float32), hessian)


def unpack(packed: Floats) -> Floats:
    """The symmetric matrix (K, K) of its lower triangle (K * (K + 1) / 2,), which lies there row by row."""
    width = int((2 * len(packed)) ** 0.5)
    matrix = np.zeros((width, width), np.float32)
    matrix[np.tri(width, dtype=bool)] = packed
    matrix += np.tril(matrix, -1).T
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
    order, factors = feedback.order, feedback.factors
    weights, spread = columns[order], np.broadcast_to(scales, columns.shape)[order]
    errors, steps = np.zeros_like(weights), np.empty_like(weights)
    for stop in range(len(order), 0, -ROWS):
        start = max(stop - ROWS, 0)
        moved = weights[start:stop] + factors[start:stop, stop:] @ errors[stop:]  # (ROWS, N)
        for row in range(stop - 1, start - 1, -1):
            aim = moved[row - start] + factors[row, row + 1 : stop] @ errors[row + 1 : stop]  # (N,)
            steps[row] = to_steps(aim, spread[row], bits)
            errors[row] = weights[row] - steps[row] * spread[row]
    result: Floats = np.empty_like(steps)
    result[order] = steps
    return result


def to_steps(values: Floats, scales: Floats, bits: int) -> Floats:
    steps: Floats = np.clip(np.rint(values / scales), LEAST[bits], LARGEST[bits])
    return steps


def search_scales(values: Floats, bits: int) -> Floats:
    """The scale (blocks, N) of each block of (blocks, block, N), among TRIES the one with the least square error."""
    widest = choose_scales(values, bits)  # (blocks, N)
    best, least = widest, np.full_like(widest, np.inf)
    for share in TRIES[bits]:
        scales = widest * share
        error = find_error(values, scales, bits)
        best, least = np.where(error < least, scales, best), np.minimum(error, least)
    return best


def find_error(values: Floats, scales: Floats, bits: int) -> Floats:
    """The square error (blocks, N) of values (blocks, block, N) that are rounded to the nearest step."""
    spread = scales[:, None]
    error: Floats = np.square(values - to_steps(values, spread, bits) * spread).sum(axis=1)
    return error
