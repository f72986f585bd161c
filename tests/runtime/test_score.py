"""Tests that scores are the losses of PyTorch, in windows of the whole context."""

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from gpt2forge.errors import UserError
from gpt2forge.graph.passes import PASSES
from gpt2forge.runtime.decoder import Decoder, open_decoder
from gpt2forge.runtime.score import Score, list_windows, score_answer, score_tokens
from gpt2forge.runtime.text import cut_windows
from tests.graph.models import Tiny, torch_logits
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


@pytest.fixture(scope="module")
def decoder(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    folder = tmp_path_factory.mktemp("package") / "out"
    pack(tiny, folder, FLOAT32)
    return open_decoder(folder, threads=1)


@pytest.mark.parametrize(("length", "stride"), [(30, 7), (48, 24), (49, 48), (55, 1), (130, 24), (130, 48)])
def test_score_with_a_stride_is_that_of_the_loop_of_transformers(
    tiny: Tiny, decoder: Decoder, length: int, stride: int
) -> None:
    """https://huggingface.co/docs/transformers/perplexity: a window masks the tokens that an earlier one predicted."""
    tokens, total, scored, before = tiny.ids(length).tolist(), 0.0, 0, 0
    for start in range(0, length, stride):
        end = min(start + 48, length)
        window = torch.tensor([tokens[start:end]])
        labels = window.clone()
        labels[:, : before - start] = -100
        count = int((labels[0, 1:] != -100).sum())
        if count:
            with torch.no_grad():
                total -= tiny.model(input_ids=window, labels=labels).loss.item() * count
        scored, before = scored + count, end
        if end == length:
            break
    far: list[tuple[int, int]] = []
    score = score_tokens(decoder.read, tokens, 48, stride, advance=lambda *each: far.append(each))
    assert (score.tokens, score.scored) == (length, scored)
    assert score.log_probability == pytest.approx(total, rel=1e-5)
    assert far[-1] == (length, length)


@pytest.mark.parametrize("length", [2, 47, 48, 49, 96, 97, 98])
def test_windows_that_do_not_overlap_are_those_of_verify(length: int) -> None:
    tokens = list(range(length))
    windows = [tokens[window.start : window.end] for window in list_windows(length, 48, 48)]
    assert windows == cut_windows(tokens, 48)


@pytest.mark.parametrize("stride", [0, -1, 49])
def test_stride_beyond_the_context_is_an_error(decoder: Decoder, stride: int) -> None:
    with pytest.raises(UserError) as error:
        score_tokens(decoder.read, [1, 2, 3], 48, stride)
    assert str(error.value) == f"the stride is {stride}; it must be from 1 to this model's context of 48"


def test_answer_is_scored_behind_its_prompt(tiny: Tiny, decoder: Decoder) -> None:
    prompt, answer = tiny.ids(20).tolist(), tiny.ids(9, seed=1).tolist()
    logits = torch.tensor(torch_logits(tiny.model, np.array([prompt + answer]))[0, 19:-1]).double()
    wanted = torch.log_softmax(logits, -1)[range(9), answer].sum().item()
    score = score_answer(decoder, prompt, answer)
    assert (score.tokens, score.scored) == (29, 9)
    assert score.log_probability == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("prompt", "answer", "message"),
    [
        ([], [1], "the prompt is empty; give at least one token"),
        ([1], [], "the answer is empty; give at least one token"),
        (
            [1] * 40,
            [2] * 9,
            "the prompt's 40 tokens and the answer's 9 exceed this model's context of 48; shorten them",
        ),
    ],
)
def test_answer_that_cannot_be_scored_is_an_error(
    decoder: Decoder, prompt: list[int], answer: list[int], message: str
) -> None:
    with pytest.raises(UserError) as error:
        score_answer(decoder, prompt, answer)
    assert str(error.value) == message
