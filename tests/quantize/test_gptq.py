"""Tests of GPTQ: it chooses the same integers as the algorithm in the paper, and errors cancel."""

import numpy as np
import pytest

from gpt2forge.quantize.blocks import Floats, choose_scales, dequantize_blocks, quantize_blocks
from gpt2forge.quantize.gptq import (
    DAMPING,
    compute_square_error,
    make_feedback,
    quantize_columns,
    round_columns,
    search_scales,
    unpack_triangle,
)
from gpt2forge.quantize.scratch import Scratch

K, N = 200, 6


def make_inputs(seed: int = 0) -> Floats:
    """Return inputs (1000, K) that depend on each other, some larger than others."""
    random = np.random.default_rng(seed)
    mixed = random.standard_normal((1000, 40)) @ random.standard_normal((40, K))
    noisy = (mixed + random.standard_normal((1000, K))) * random.uniform(0.2, 3, K)
    return noisy.astype(np.float32)


def make_weights(seed: int = 1) -> Floats:
    return np.random.default_rng(seed).standard_normal((K, N)).astype(np.float32)


def pack(inputs: Floats) -> Floats:
    hessian = inputs.T @ inputs / len(inputs)
    return np.asarray(hessian[np.tri(K, dtype=bool)])


def cost(columns: Floats, rounded: Floats, inputs: Floats) -> Floats:
    """Return the mean square error of each column's product with the inputs, (N,)."""
    return np.asarray(np.square(inputs @ (columns - rounded)).mean(axis=0))


def restore(columns: Floats, bits: int, block: int, inputs: Floats | None) -> Floats:
    """Quantize and dequantize columns (K, N), with the feedback of errors if there are inputs."""
    feedback = None if inputs is None else make_feedback(unpack_triangle(pack(inputs)))
    blocks = quantize_columns(columns, bits, block, feedback, Scratch())
    return dequantize_blocks(blocks.data, blocks.scales, bits)[:, : len(columns)].T


def follow_the_paper(columns: Floats, scales: Floats, hessian: Floats, bits: int) -> Floats:
    """Return the steps (K, N) by algorithm 1 of GPTQ in float64: inverse Hessian, Cholesky factor, error by error."""
    order = np.argsort(-hessian.diagonal(), kind="stable")
    damped = hessian.astype(np.float64) + DAMPING * hessian.diagonal().mean() * np.eye(K)
    factor = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T  # upper
    weights, steps = columns.astype(np.float64)[order], np.zeros_like(columns)
    for place, row in enumerate(order):
        step = np.clip(np.rint(weights[place] / scales[row]), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        error = (weights[place] - step * scales[row]) / factor[place, place]
        weights[place + 1 :] -= np.outer(factor[place, place + 1 :], error)
        steps[row] = step
    return steps


def test_steps_are_those_of_the_paper() -> None:
    columns, inputs = make_weights(), make_inputs()
    scales = np.full((K, N), 0.3, np.float32)
    feedback = make_feedback(unpack_triangle(pack(inputs)))
    hessian = unpack_triangle(pack(inputs))
    np.testing.assert_array_equal(
        round_columns(columns, scales, 4, feedback), follow_the_paper(columns, scales, hessian, 4)
    )


def test_inputs_that_do_not_depend_on_each_other_give_plain_rounding() -> None:
    columns, scales = make_weights(), np.full((K, N), 0.25, np.float32)
    feedback = make_feedback(np.eye(K, dtype=np.float32))
    expected = np.clip(np.rint(columns / scales), -8, 7)
    np.testing.assert_array_equal(round_columns(columns, scales, 4, feedback), expected)


@pytest.mark.parametrize(("bits", "block"), [(4, 32), (4, 128), (8, 64)])
def test_errors_cancel_on_the_inputs(bits: int, block: int) -> None:
    columns, inputs = make_weights(), make_inputs()
    plain, fitted = (restore(columns, bits, block, x) for x in (None, inputs))
    assert (cost(columns, fitted, inputs) < 0.5 * cost(columns, plain, inputs)).all()
    other = make_inputs()[::-1][:300]  # and on a part that has other means
    assert cost(columns, fitted, other).sum() < 0.6 * cost(columns, plain, other).sum()


def test_without_inputs_it_is_quantize_blocks() -> None:
    columns = make_weights()
    one, other = quantize_columns(columns, 4, 32, None, Scratch()), quantize_blocks(columns, 4, 32, Scratch())
    np.testing.assert_array_equal(one.data, other.data)
    np.testing.assert_array_equal(one.scales, other.scales)


def test_scale_that_is_searched_leaves_less_error() -> None:
    values = np.random.default_rng(0).standard_normal((5, 32, 7)).astype(np.float32)
    scales = (search_scales(values, 4), choose_scales(values, 4))
    found, widest = (
        np.array([compute_square_error(*pair, 4) for pair in zip(values, each, strict=True)]) for each in scales
    )
    assert (found <= widest).all() and found.sum() < 0.95 * widest.sum()
    np.testing.assert_array_equal(search_scales(values, 8), choose_scales(values, 8))


def test_input_that_is_always_zero_is_no_obstacle() -> None:
    inputs = make_inputs()
    inputs[:, 3] = 0
    assert np.isfinite(restore(make_weights(), 4, 32, inputs)).all()
    assert np.isfinite(restore(make_weights(), 4, 32, np.zeros_like(inputs))).all()


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_statistics_that_are_not_finite_are_an_error(wrong: float) -> None:
    packed = pack(make_inputs())
    packed[5] = wrong
    with pytest.raises(ValueError, match="statistics of its inputs are not finite"):
        make_feedback(unpack_triangle(packed))
