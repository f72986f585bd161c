"""Improves steps and scales of a linear layer after GPTQ, one at a time: the numbers.

With E the errors of the weights (K, N) and H as in `gptq`, a column costs eᵀ H e. GPTQ decides each step once, knowing
what came before it. Here each is decided again knowing all the others: the one that costs least is the nearest to
q + (H e)_i / (H_ii s). Behind the steps of a block its scale is set to what is best for them. No change makes a column
cost more, and after three rounds there is little left: on a trained nano they take 9 % of GPTQ's cost away with 4 bits
in blocks of 32, and 4 % with 8 bits.

QuantEase: Optimization-based Quantization for Language Models, https://arxiv.org/abs/2309.01885, has the steps' part.
"""

import numpy as np

from gpt2forge.graph.quantize.blocks import LARGEST, LEAST, SMALLEST, Floats

ROUNDS = 3
ROWS = 128  # where no scale is fitted, so many share one product with all the rows


def descend(columns: Floats, steps: Floats, scales: Floats, bits: int, block: int, hessian: Floats) -> None:
    """Change the steps (K, N) of `columns` (K, N) and the scales (blocks, N) of each `block` of them."""
    errors = np.asarray(columns) - steps * scales.repeat(block, axis=0)[: len(columns)]  # (K, N)
    for _ in range(ROUNDS):
        for place, start in enumerate(range(0, len(columns), block)):
            rows = slice(start, min(start + block, len(columns)))
            near = hessian[rows, rows]
            pull = hessian[rows] @ errors  # (block, N), half of the cost's slope by each weight, its sign turned
            descend_steps(steps[rows], errors[rows], pull, scales[place], bits, near)
            scales[place] += descend_scale(steps[rows], errors[rows], pull, near)


def descend_rows(columns: Floats, steps: Floats, scales: Floats, bits: int, hessian: Floats) -> None:
    """The same where the scales (N,) of whole columns stay as they are."""
    errors = np.asarray(columns) - steps * scales  # (K, N)
    for _ in range(ROUNDS):
        for start in range(0, len(columns), ROWS):
            rows = slice(start, min(start + ROWS, len(columns)))
            descend_steps(steps[rows], errors[rows], hessian[rows] @ errors, scales, bits, hessian[rows, rows])


def descend_steps(steps: Floats, errors: Floats, pull: Floats, scales: Floats, bits: int, near: Floats) -> None:
    """Decide each row of `steps` (R, N) again; `errors` and `pull` (R, N) follow. `near` (R, R) is these rows' H."""
    for row, weight in enumerate(near.diagonal()):
        curve = weight * scales
        with np.errstate(over="ignore"):  # a block of zeros has a scale next to nothing
            change = np.divide(pull[row], curve, out=np.zeros_like(curve), where=curve != 0)  # (N,)
        change += steps[row]
        np.rint(change, out=change)
        np.clip(change, LEAST[bits], LARGEST[bits], out=change)
        change -= steps[row]
        steps[row] += change
        change *= scales
        errors[row] -= change
        pull -= near[:, row, None] * change


def descend_scale(steps: Floats, errors: Floats, pull: Floats, near: Floats) -> Floats:
    """How much the scale (N,) of a block's `steps` (R, N) is to grow; its `errors` (R, N) follow."""
    curve = (steps * (near @ steps)).sum(axis=0)
    growth: Floats = (steps * pull).sum(axis=0) / np.maximum(curve, SMALLEST)
    errors -= steps * growth
    return growth
