"""Tests that scores are the losses of PyTorch, in windows of the whole context."""

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from gpt2forge.errors import UserError
from gpt2forge.graph.passes import PASSES
from gpt2forge.runtime.decoder import open_decoder
from gpt2forge.runtime.score import Score, score_tokens
from tests.graph.models import Tiny
from tests.quantize.packages import FLOAT32, pack


@pytest.mark.parametrize("length", [2, 47, 48, 49, 50, 120])
@pytest.mark.parametrize("passes", [tuple(PASSES), ()])
def test_score_is_the_loss_of_pytorch(tiny: Tiny, tmp_path: Path, passes: tuple[str, ...], length: int) -> None:
    pack(tiny, tmp_path / "out", FLOAT32, passes)
    decoder, tokens = open_decoder(tmp_path / "out", threads=1), tiny.ids(length).tolist()
    total, scored = 0.0, 0
    for start in range(0, length, 48):
        window = torch.tensor([tokens[start : start + 48]])
        if window.shape[1] > 1:
            with torch.no_grad():
                total -= tiny.model(input_ids=window, labels=window).loss.item() * (window.shape[1] - 1)
            scored += window.shape[1] - 1
    score = score_tokens(decoder.read, tokens, decoder.context)
    assert (score.tokens, score.scored) == (length, scored)
    assert score.log_probability == pytest.approx(total, rel=1e-5)
    assert score.perplexity == pytest.approx(math.exp(-total / scored), rel=1e-4)


def test_rows_are_read_in_parts_and_each_counts_once() -> None:
    """A uniform model of 5 tokens reads more positions than are in float64 at the same time."""
    score = score_tokens(lambda tokens: np.zeros((*tokens.shape, 5), np.float32), [0] * 200, 200)
    assert score.scored == 199
    assert score.perplexity == pytest.approx(5, rel=1e-12)


def test_perplexity_beyond_all_numbers_is_infinite() -> None:
    assert Score(2, 1, -1e6).perplexity == math.inf


@pytest.mark.parametrize("tokens", [[], [3]])
def test_fewer_than_two_tokens_cannot_be_scored(tokens: list[int]) -> None:
    with pytest.raises(UserError) as error:
        score_tokens(lambda tokens: tokens, tokens, 8)
    assert str(error.value) == (
        f"a text of {len(tokens)} tokens cannot be scored: its first token is not predicted; "
        "give a text of two or more tokens"
    )
