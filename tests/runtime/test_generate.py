"""Tests of generated tokens: they are those of PyTorch, and nothing that measures imports their choice."""

from pathlib import Path

import numpy as np
import pytest

from gpt2forge.errors import UserError
from gpt2forge.graph.passes import PASSES
from gpt2forge.plan.code import find_reach
from gpt2forge.runtime.decoder import open_decoder
from gpt2forge.runtime.generate import generate_tokens
from gpt2forge.runtime.sampling import Sampling, choose_likeliest, make_sampler
from gpt2forge.store.stat_cache import StatCache
from tests.graph.models import Tiny, torch_logits
from tests.quantize.packages import FLOAT32, pack
from tests.workshop import ROOT

PROMPT = [5, 17, 80, 3]


@pytest.mark.parametrize(("passes", "in_place"), [(tuple(PASSES), True), ((), False)])
def test_greedy_tokens_are_those_of_pytorch(
    tiny: Tiny, tmp_path: Path, passes: tuple[str, ...], in_place: bool
) -> None:
    pack(tiny, tmp_path / "out", FLOAT32, passes)
    decoder = open_decoder(tmp_path / "out", threads=1)
    assert decoder.in_place is in_place
    tokens = list(PROMPT)
    for _ in range(40):
        tokens.append(int(torch_logits(tiny.model, np.array([tokens]))[0, -1].argmax()))
    assert list(generate_tokens(decoder, PROMPT, 40, choose_likeliest)) == tokens[len(PROMPT) :]


def test_token_that_ends_a_text_is_not_seen(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    decoder = open_decoder(tmp_path / "out", threads=1)
    tokens = list(generate_tokens(decoder, PROMPT, 12, make_sampler(Sampling(temperature=2, seed=3))))
    stop = tokens[7]
    again = generate_tokens(decoder, PROMPT, 12, make_sampler(Sampling(temperature=2, seed=3)), (stop, tokens[9]))
    assert list(again) == tokens[: tokens.index(stop)]


def test_a_second_text_does_not_see_the_first(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    decoder = open_decoder(tmp_path / "out", threads=1)
    alone = list(generate_tokens(decoder, PROMPT, 10, choose_likeliest))
    first = generate_tokens(decoder, [1, 2, 3], 10, choose_likeliest)
    second = generate_tokens(decoder, PROMPT, 10, choose_likeliest)
    assert [token for _, token in zip(first, second, strict=True)] == alone


def test_whole_context_can_be_used(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    decoder = open_decoder(tmp_path / "out", threads=1)
    assert len(list(generate_tokens(decoder, PROMPT, 44, choose_likeliest))) == 44


@pytest.mark.parametrize(
    ("prompt", "count", "message"),
    [
        ([], 5, "the prompt is empty; give at least one token"),
        ([101], 5, "the prompt holds a token outside this model's vocabulary; give tokens from 0 to 100"),
        (
            PROMPT,
            45,
            "the prompt's 4 tokens and 45 new ones exceed this model's context of 48; ask for at most 44 new ones",
        ),
        ([1] * 48, 1, "the prompt's 48 tokens and 1 new ones exceed this model's context of 48; shorten the prompt"),
    ],
)
def test_prompt_that_cannot_be_continued_is_an_error(
    tiny: Tiny, tmp_path: Path, prompt: list[int], count: int, message: str
) -> None:
    pack(tiny, tmp_path / "out", FLOAT32)
    decoder = open_decoder(tmp_path / "out", threads=1)
    with pytest.raises(UserError) as error:
        generate_tokens(decoder, prompt, count, choose_likeliest)
    assert str(error.value) == message


@pytest.mark.parametrize("stage", ["verify", "benchmark"])
def test_measuring_reaches_no_choice_of_tokens(tmp_path: Path, stage: str) -> None:
    """A new sampling option must not change the key of a measurement."""
    reach = find_reach([ROOT / f"gpt2forge/stages/{stage}.py"], StatCache(tmp_path / "stat_cache"))
    assert "gpt2forge.runtime.decoder" in reach
    assert not reach.keys() & {f"gpt2forge.runtime.{name}" for name in ("generate", "sampling", "model")}
