"""Biases and bans change logits as transformers' processors do."""

import numpy as np
import pytest
from transformers.generation.logits_process import (
    MinNewTokensLengthLogitsProcessor,
    NoBadWordsLogitsProcessor,
    SequenceBiasLogitsProcessor,
    SuppressTokensLogitsProcessor,
)

from gpt2forge.runtime.bans import add_bias, forbid_tokens, forbid_words
from tests.runtime.drawn_logits import draw_logits, draw_texts, process


@pytest.mark.parametrize("seed", range(3))
def test_bias_is_that_of_transformers(seed: int) -> None:
    logits, bias = draw_logits(seed), {3: 2.5, 1499: -4.0, 17: float("-inf")}
    other = SequenceBiasLogitsProcessor([[[token], number] for token, number in bias.items()])
    assert (add_bias(logits, bias) == process(other, draw_texts(seed, 5), logits)).all()


WORDS = [[3], [1, 2], [2, 2, 1], [0, 1, 2, 0, 1, 2, 0]]


@pytest.mark.parametrize("length", [1, 2, 8, 30])
@pytest.mark.parametrize("seed", range(4))
def test_banned_words_are_those_of_transformers(seed: int, length: int) -> None:
    logits, texts = draw_logits(seed), draw_texts(seed, length, vocabulary=3)
    wanted = process(NoBadWordsLogitsProcessor(WORDS), texts, logits)
    assert (forbid_words(logits, list(texts), WORDS) == wanted).all()


def test_ends_are_forbidden_in_short_rows_as_transformers_forbids_them() -> None:
    logits, texts = draw_logits(0), draw_texts(0, 7)
    short = MinNewTokensLengthLogitsProcessor(4, 4, [5, 9])  # 3 of 4 tokens are there
    assert (forbid_tokens(logits, {5, 9}) == process(short, texts, logits)).all()
    always = SuppressTokensLogitsProcessor([5, 9])
    assert (forbid_tokens(logits, {5, 9}) == process(always, texts, logits)).all()
    found = forbid_tokens(logits, {5, 9}, [0, 2])
    assert np.isneginf(found).nonzero()[0].tolist() == [0, 0, 2, 2]
    assert (found[1] == logits[1]).all()
