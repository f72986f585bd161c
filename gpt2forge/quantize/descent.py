"""Improves the steps and scales of a linear layer after GPTQ by coordinate descent.

With E the errors of the weights (K, N) and H as in `gptq`, the cost of a column is eᵀ H e. GPTQ chooses each step once,
given the steps before it. This module chooses each step again, given all others: the cheapest step is the nearest to
q + (H e)_i / (H_ii s). After the steps of a block it sets the block's scale to the best value for them. No change
increases the cost of a column. On a trained nano two rounds reduce GPTQ's cost by 9 % with 4 bits in blocks of 32, and
by 4 % with 8 bits; a third round would add 1 %.

The choice of steps follows QuantEase: Optimization-based Quantization for Language Models,
https://arxiv.org/abs/2309.01885.
"""

from dataclasses import dataclass

import numpy as np

from gpt2forge.quantize.blocks import SMALLEST, Floats, cut_slices, round_steps

ROUNDS = 2
ROWS = 128  # rows that share one product with all rows, if no scale is fitted


def descend(columns: Floats, steps: Floats, scales: Floats, bits: int, block: int, hessian: Floats) -> None:
    """Improve the steps (K, N) of `columns` (K, N) and the scales (blocks, N) of their blocks, in place."""
    errors = np.asarray(columns) - steps * scales.repeat(block, axis=0)[: len(columns)]  # (K, N)
    for _ in range(ROUNDS):
        for place, rows in enumerate(cut_slices(len(columns), block)):
            near = hessian[rows, rows]
            part = Part(steps[rows], hessian[rows] @ errors, scales=scales[place], bits=bits, near=near)
            errors[rows] -= part.descend()
            growth = part.fit_scale()
            errors[rows] -= steps[rows] * growth
            scales[place] += growth


def descend_rows(columns: Floats, steps: Floats, scales: Floats, bits: int, hessian: Floats) -> None:
    """Improve the steps (K, N) of `columns` (K, N) in place; the scales (N,) of whole columns do not change."""
    errors = np.asarray(columns) - steps * scales  # (K, N)
    for _ in range(ROUNDS):
        for rows in cut_slices(len(columns), ROWS):
            part = Part(steps[rows], hessian[rows] @ errors, scales=scales, bits=bits, near=hessian[rows, rows])
            errors[rows] -= part.descend()


@dataclass(frozen=True)
class Part:
    """Rows that share a scale: their `steps` (R, N), `scales` (N,), and part of H, `near` (R, R).

    `pull` (R, N) is H e, minus half of the cost's derivative by each weight.
    """

    steps: Floats
    pull: Floats
    scales: Floats
    bits: int
    near: Floats

    def descend(self) -> Floats:
        """Choose the steps of each row again, update `pull`, and return how much the weights grew, (R, N)."""
        growth, pull = np.empty_like(self.pull), self.pull.copy()
        self.choose_rows(0, len(growth), pull, growth)
        np.subtract(self.pull, self.near @ growth, out=self.pull)
        return growth

    def choose_rows(self, start: int, stop: int, pull: Floats, growth: Floats) -> None:
        """Choose the steps of rows in order, by halves, so that most work is in matrix products.

        `pull` already includes the growth of all rows before `start`.
        """
        if stop - start == 1:
            self.choose_row(start, pull[start], growth)
            return
        middle = (start + stop) // 2
        self.choose_rows(start, middle, pull, growth)
        pull[middle:stop] -= self.near[middle:stop, start:middle] @ growth[start:middle]
        self.choose_rows(middle, stop, pull, growth)

    def choose_row(self, row: int, pull: Floats, growth: Floats) -> None:
        steps, change = self.steps[row], growth[row]  # (N,)
        curve = self.near[row, row] * self.scales
        change[:] = 0
        with np.errstate(over="ignore"):  # the scale of a block of zeros is close to 0
            np.divide(pull, curve, out=change, where=curve != 0)
        change += steps
        round_steps(change, self.bits)
        change -= steps
        steps += change
        change *= self.scales

    def fit_scale(self) -> Floats:
        """Return how much the scale (N,) is to grow."""
        curve = (self.steps * (self.near @ self.steps)).sum(axis=0)
        growth: Floats = (self.steps * self.pull).sum(axis=0) / np.maximum(curve, SMALLEST)
        return growth
