"""Improves steps and scales of a linear layer after GPTQ, one at a time: the numbers.

With E the errors of the weights (K, N) and H as in `gptq`, a column costs eᵀ H e. GPTQ decides each step once, knowing
what came before it. Here each is decided again knowing all the others: the one that costs least is the nearest to
q + (H e)_i / (H_ii s). Behind the steps of a block its scale is set to what is best for them. No change makes a column
cost more: on a trained nano two rounds take 9 % of GPTQ's cost away with 4 bits in blocks of 32, and 4 % with 8 bits;
a third one would take 1 % more.

QuantEase: Optimization-based Quantization for Language Models, https://arxiv.org/abs/2309.01885, has the steps' part.
"""

from dataclasses import dataclass

import numpy as np

from gpt2forge.quantize.blocks import SMALLEST, Floats, cut, round_steps

ROUNDS = 2
ROWS = 128  # where no scale is fitted, so many share one product with all the rows


def descend(columns: Floats, steps: Floats, scales: Floats, bits: int, block: int, hessian: Floats) -> None:
    """Change the steps (K, N) of `columns` (K, N) and the scales (blocks, N) of each `block` of them."""
    errors = np.asarray(columns) - steps * scales.repeat(block, axis=0)[: len(columns)]  # (K, N)
    for _ in range(ROUNDS):
        for place, rows in enumerate(cut(len(columns), block)):
            near = hessian[rows, rows]
            part = Part(steps[rows], hessian[rows] @ errors, scales[place], bits, near)
            errors[rows] -= part.descend()
            growth = part.fit_scale()
            errors[rows] -= steps[rows] * growth
            scales[place] += growth


def descend_rows(columns: Floats, steps: Floats, scales: Floats, bits: int, hessian: Floats) -> None:
    """The same where the scales (N,) of whole columns stay as they are."""
    errors = np.asarray(columns) - steps * scales  # (K, N)
    for _ in range(ROUNDS):
        for rows in cut(len(columns), ROWS):
            errors[rows] -= Part(steps[rows], hessian[rows] @ errors, scales, bits, hessian[rows, rows]).descend()


@dataclass(frozen=True)
class Part:
    """Rows of one scale: their `steps` (R, N) by `scales` (N,), and H of them, `near` (R, R).

    `pull` (R, N) is H e, half of the cost's slope by each weight with its sign turned.
    """

    steps: Floats
    pull: Floats
    scales: Floats
    bits: int
    near: Floats

    def descend(self) -> Floats:
        """Decide each row again; gives how much the weights grew, (R, N), and `pull` follows."""
        growth, pull = np.empty_like(self.pull), self.pull.copy()
        self.decide_rows(0, len(growth), pull, growth)
        np.subtract(self.pull, self.near @ growth, out=self.pull)
        return growth

    def decide_rows(self, start: int, stop: int, pull: Floats, growth: Floats) -> None:
        """These rows, the first first, by halves: most of the work is in products. `pull` knows of all rows before."""
        if stop - start == 1:
            self.decide_row(start, pull[start], growth)
            return
        middle = (start + stop) // 2
        self.decide_rows(start, middle, pull, growth)
        pull[middle:stop] -= self.near[middle:stop, start:middle] @ growth[start:middle]
        self.decide_rows(middle, stop, pull, growth)

    def decide_row(self, row: int, pull: Floats, growth: Floats) -> None:
        steps, change = self.steps[row], growth[row]  # (N,)
        curve = self.near[row, row] * self.scales
        change[:] = 0
        with np.errstate(over="ignore"):  # a block of zeros has a scale next to nothing
            np.divide(pull, curve, out=change, where=curve != 0)
        change += steps
        round_steps(change, self.bits)
        change -= steps
        steps += change
        change *= self.scales

    def fit_scale(self) -> Floats:
        """How much the scale (N,) is to grow."""
        curve = (self.steps * (self.near @ self.steps)).sum(axis=0)
        growth: Floats = (self.steps * self.pull).sum(axis=0) / np.maximum(curve, SMALLEST)
        return growth
