"""Tests of coordinate descent: no column costs more, and in the end no single change pays."""

import numpy as np
import pytest

from gpt2forge.quantize.blocks import LARGEST, LEAST, SMALLEST, Floats
from gpt2forge.quantize.channel import find_magnitudes, scale_channels
from gpt2forge.quantize.descent import Part, descend, descend_rows
from gpt2forge.quantize.gptq import make_feedback, round_columns, search_scales, unpack_triangle
from tests.quantize.test_gptq import K, N, make_inputs, make_weights, pack

BLOCK = 32


def cost(columns: Floats, steps: Floats, spread: Floats, hessian: Floats) -> Floats:
    """Return the cost eᵀ H e of each column, (N,)."""
    errors = (columns - steps * spread).astype(np.float64)
    return np.asarray((errors * (hessian @ errors)).sum(axis=0))


def start(bits: int, given: Floats | None = None) -> tuple[Floats, Floats, Floats, Floats]:
    """Return columns (K, N), their steps by GPTQ (K, N), the scales (blocks, N), and H (K, K)."""
    columns = make_weights() if given is None else given
    feedback = make_feedback(unpack_triangle(pack(make_inputs())))
    padded = np.zeros((-(-K // BLOCK) * BLOCK, N), np.float32)
    padded[:K] = columns
    scales = search_scales(padded.reshape(-1, BLOCK, N), bits)
    return columns, round_columns(columns, widen(scales), bits, feedback), scales, feedback.hessian


def widen(scales: Floats) -> Floats:
    """Repeat scales (blocks, N) for each weight, (K, N)."""
    return np.asarray(scales.repeat(BLOCK, axis=0)[:K])


@pytest.mark.parametrize(("bits", "left"), [(4, 0.95), (8, 0.99)])
def test_every_column_costs_less(bits: int, left: float) -> None:
    columns, steps, scales, hessian = start(bits)
    before = cost(columns, steps, widen(scales), hessian)
    descend(columns, steps, scales, bits, BLOCK, hessian)
    after = cost(columns, steps, widen(scales), hessian)
    assert (after <= before).all() and after.sum() < left * before.sum()
    assert (steps == np.rint(steps)).all() and steps.min() >= LEAST[bits] and steps.max() <= LARGEST[bits]


def test_in_the_end_no_step_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpt2forge.quantize.descent.ROUNDS", 100)
    columns, steps, scales, hessian = start(4)
    descend(columns, steps, scales, 4, BLOCK, hessian)
    least = cost(columns, steps, widen(scales), hessian)
    for row in range(K):
        for change in (-1, 1):
            other = steps.copy()
            other[row] = np.clip(other[row] + change, LEAST[4], LARGEST[4])
            assert (cost(columns, other, widen(scales), hessian) >= least * (1 - 1e-4)).all()


def test_whole_columns_keep_their_scales() -> None:
    columns, feedback = make_weights(), make_feedback(unpack_triangle(pack(make_inputs())))
    scales = scale_channels(find_magnitudes(columns), 8)
    steps = round_columns(columns, scales[None], 8, feedback)
    before = cost(columns, steps, scales, feedback.hessian)
    descend_rows(columns, steps, scales, 8, feedback.hessian)
    assert (cost(columns, steps, scales, feedback.hessian) <= before).all()
    assert np.abs(steps).max() <= 127


def test_scale_is_the_one_that_costs_least() -> None:
    columns, steps, scales, hessian = start(4)
    rows, near = slice(0, BLOCK), hessian[:BLOCK, :BLOCK]
    errors = columns - steps * widen(scales)
    growth = Part(steps[rows], hessian[rows] @ errors, scales[0], 4, near).fit_scale()
    costs = []
    for part in (0.99, 1.0, 1.01):
        changed = scales.copy()
        changed[0] = (scales[0] + growth) * part
        costs.append(cost(columns, steps, widen(changed), hessian))
    assert (costs[1] <= costs[0]).all() and (costs[1] <= costs[2]).all()


def test_columns_of_zeros_are_no_obstacle() -> None:
    columns, _, scales, hessian = start(4)
    columns[:, 0], scales[:, 0] = 0, SMALLEST
    steps = np.zeros_like(columns)
    descend(columns, steps, scales, 4, BLOCK, hessian)
    assert np.isfinite(scales).all() and not (steps * widen(scales))[:, 0].any()


def test_block_of_zeros_may_make_up_for_the_others() -> None:
    blank = make_weights()
    blank[:BLOCK, 0] = 0
    columns, steps, scales, hessian = start(4, blank)
    assert np.abs(steps[:BLOCK, 0] * scales[0, 0]).max() < 1e-4
    before = cost(columns, steps, widen(scales), hessian)
    descend(columns, steps, scales, 4, BLOCK, hessian)
    after = cost(columns, steps, widen(scales), hessian)
    assert np.isfinite(scales).all() and (after <= before).all() and after[0] < before[0]
