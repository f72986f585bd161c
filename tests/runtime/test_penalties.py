"""Penalties change logits as transformers' processors do; those of counts as their definition says."""

import numpy as np
import pytest
from transformers.generation.logits_process import NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

from gpt2forge.runtime.penalties import forbid_repeated_ngrams, penalize_counts, penalize_repetition
from tests.runtime.drawn_logits import draw_logits, draw_texts, process


@pytest.mark.parametrize("penalty", [0.7, 1.3, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_repetition_is_that_of_transformers(seed: int, penalty: float) -> None:
    logits, texts = draw_logits(seed), draw_texts(seed, 40, vocabulary=60)
    wanted = process(RepetitionPenaltyLogitsProcessor(penalty), texts, logits)
    np.testing.assert_allclose(penalize_repetition(logits, list(texts), penalty), wanted, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("length", [1, 2, 3, 60])
@pytest.mark.parametrize("seed", range(3))
def test_forbidden_ngrams_are_those_of_transformers(seed: int, length: int, size: int) -> None:
    logits, texts = draw_logits(seed), draw_texts(seed, length, vocabulary=3)
    wanted = process(NoRepeatNGramLogitsProcessor(size), texts, logits)
    found = forbid_repeated_ngrams(logits, list(texts), size)
    assert (found == wanted).all()
    assert length < 60 or size > 3 or np.isneginf(found).any()


def test_counts_are_subtracted_once_and_for_each_time() -> None:
    logits = draw_logits(0, rows=2)
    found = penalize_counts(logits, [np.array([4, 4, 7]), np.array([], np.int64)], presence=0.5, frequency=0.25)
    assert found[0, [4, 7]] - logits[0, [4, 7]] == pytest.approx([-1.0, -0.75], abs=1e-6)
    changed = found != logits
    assert changed[0].nonzero()[0].tolist() == [4, 7]
    assert not changed[1].any()


def test_rows_may_differ_in_length_and_the_logits_that_came_are_unchanged() -> None:
    logits, texts = draw_logits(1), [np.array([1, 2, 1]), np.array([5]), np.array([], np.int64)]
    before = logits.copy()
    penalize_repetition(logits, texts, 2.0)
    penalize_counts(logits, texts, 1.0, 1.0)
    assert np.isneginf(forbid_repeated_ngrams(logits, texts, 2)).nonzero()[1].tolist() == [2]
    assert (logits == before).all()
