"""The divergence from a compact reference is compared with that of whole distributions, on random logits."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt2forge.measure import distributions as module
from gpt2forge.measure.distributions import (
    TAIL,
    TOP,
    find_top,
    join,
    read_reference,
    summarize_window,
    write_reference,
)
from gpt2forge.measure.divergence import compare_window, estimate_tail
from gpt2forge.runtime.likelihood import log_softmax

Array = np.ndarray[Any, Any]


def make_logits(length: int, vocabulary: int, noise: float, seed: int = 0) -> tuple[Array, Array]:
    """Make the logits of a model for a window, and those of a slightly different model."""
    random = np.random.default_rng(seed)
    logits = 3 * random.standard_normal((length, vocabulary)).astype(np.float32)
    return logits, logits + noise * random.standard_normal(logits.shape).astype(np.float32)


def find_exact(p: Array, q: Array) -> Array:
    """Compute the divergence of each position but the last over the whole vocabulary."""
    log_p, log_q = log_softmax(p[:-1]), log_softmax(q[:-1])
    return np.asarray((np.exp(log_p) * (log_p - log_q)).sum(axis=1))


@pytest.mark.parametrize("noise", [0.05, 0.3, 1.0])
def test_divergence_is_estimated_without_bias_and_bounded_from_below(noise: float) -> None:
    window = np.random.default_rng(1).integers(0, 3000, 400)
    p, q = make_logits(400, 3000, noise)
    found = compare_window(q, summarize_window(p, window.tolist(), np.random.default_rng(2)))
    exact = find_exact(p, q)
    assert found.kl.mean() == pytest.approx(exact.mean(), rel=0.02)
    assert (found.kl_least <= exact + 1e-6).all()  # log-probabilities are kept in float32
    assert (found.kl_least <= found.kl).all()


def test_small_vocabulary_is_kept_whole_and_exact() -> None:
    p, q = make_logits(60, TOP, 0.5)
    window = np.random.default_rng(1).integers(0, TOP, 60).tolist()
    reference = summarize_window(p, window, np.random.default_rng(0))
    assert reference.ids.shape == (59, TOP)
    found = compare_window(q, reference)
    np.testing.assert_allclose(found.kl, find_exact(p, q), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found.kl, found.kl_least)


def test_targets_and_likeliest_tokens_are_exact() -> None:
    p, q = make_logits(300, 2000, 0.5)
    window = np.random.default_rng(1).integers(0, 2000, 300)
    found = compare_window(q, summarize_window(p, window.tolist(), np.random.default_rng(0)))
    for targets, logits in ((found.targets, q), (found.targets_reference, p)):
        np.testing.assert_allclose(targets, log_softmax(logits[:-1])[np.arange(299), window[1:]])
    np.testing.assert_array_equal(found.same_top, (p.argmax(axis=1) == q.argmax(axis=1))[:-1])


def test_a_model_does_not_diverge_from_itself() -> None:
    p, _ = make_logits(50, 1000, 0.0)
    found = compare_window(p, summarize_window(p, [0] * 50, np.random.default_rng(0)))
    assert found.kl.max() < 1e-6
    assert found.same_top.all()


def test_summary_is_the_logits_of_the_likeliest_and_of_a_sample_of_the_rest() -> None:
    p, _ = make_logits(20, 5000, 0.0)
    reference = summarize_window(p, [1] * 20, np.random.default_rng(0))
    assert reference.ids.dtype == np.uint16
    assert reference.ids.shape == (19, TOP + TAIL)
    order = np.argsort(-p[:-1], axis=1, kind="stable")
    np.testing.assert_array_equal(reference.ids[:, :TOP], order[:, :TOP])
    for row, top in zip(reference.ids, order[:, :TOP], strict=True):
        assert not set(row[TOP:]) & set(top)
    kept = np.take_along_axis(p[:-1], reference.ids.astype(np.int64), axis=1)
    np.testing.assert_allclose(reference.log_probs + reference.lse[:, None], kept, atol=1e-5)
    top_share = np.exp(reference.log_probs[:, :TOP].astype(np.float64)).sum(axis=1)
    np.testing.assert_allclose(reference.tail, 1 - top_share, atol=1e-6)


def test_tokens_of_the_tail_are_drawn_as_often_as_their_share_says() -> None:
    shares = np.tile(np.array([0.0, 0.5, 0.25, 0.0, 0.25]), (4000, 1))
    drawn = module.draw_tail(shares, np.random.default_rng(0))
    counts = np.bincount(drawn.ravel(), minlength=5) / drawn.size
    np.testing.assert_allclose(counts, shares[0], atol=1e-3)


def test_among_equals_the_smaller_id_comes_first() -> None:
    np.testing.assert_array_equal(find_top(np.zeros((1, 5))), [[0, 1, 2, 3, 4]])


def test_tails_of_nothing_diverge_by_nothing() -> None:
    assert estimate_tail(np.empty((3, 0)), np.empty((3, 0))).tolist() == [0, 0, 0]


def test_reference_comes_back_from_its_folder_window_by_window(tmp_path: Path) -> None:
    parts = [
        summarize_window(make_logits(length, 300, 0)[0], list(range(length)), np.random.default_rng(0))
        for length in (9, 5, 2)
    ]
    write_reference(join(parts), tmp_path)
    for part, row in zip(parts, read_reference(tmp_path).rows(), strict=True):
        for field in dataclasses.fields(part):
            np.testing.assert_array_equal(getattr(part, field.name), getattr(row, field.name))
