"""Tests of log-probabilities, for logits of any size."""

import math

import numpy as np
import pytest

from gpt2forge.runtime.likelihood import log_softmax


def test_likelihood_is_stable_however_large_the_logits() -> None:
    logits = np.array([[1e4, 1e4 - 1, -1e4], [-3e38, 0, 0]], np.float32)
    found = log_softmax(logits)
    assert found[0, 1] == pytest.approx(-1 - math.log1p(math.exp(-1)), rel=1e-9)
    assert found[1, 2] == pytest.approx(-math.log(2), rel=1e-12)
    assert found.dtype == np.float64


def test_shares_sum_to_one() -> None:
    logits = np.random.default_rng(0).standard_normal((5, 1000)).astype(np.float32)
    np.testing.assert_allclose(np.exp(log_softmax(logits)).sum(axis=1), 1, rtol=1e-12)
