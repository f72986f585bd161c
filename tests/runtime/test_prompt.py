"""Prompts: what fits, what is cut, and that a huge one costs nothing."""

import time
import tracemalloc

import pytest
from tokenizers.pre_tokenizers import ByteLevel

from gpt2forge.errors import UserError
from gpt2forge.runtime.generation import Generation
from gpt2forge.runtime.prompt import encode_prompt, encode_word, fit_prompt
from tests.runtime.test_text import make_tokenizer

CONTEXT = 40
TOKENIZER = make_tokenizer()
TOKENIZER.pre_tokenizer = ByteLevel(add_prefix_space=False)


def test_prompt_that_fits_is_encoded_as_a_whole() -> None:
    text = "naïve text"
    assert encode_prompt(TOKENIZER, text, Generation(), CONTEXT) == TOKENIZER.encode(text).ids


@pytest.mark.parametrize("text", ["x" * 20_000_000, "é " * 10_000_000])
def test_huge_prompt_is_refused_or_cut_at_once(text: str) -> None:
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises(UserError) as error:
        encode_prompt(TOKENIZER, text, Generation(), CONTEXT)
    cut = encode_prompt(TOKENIZER, text, Generation(overflow="truncate"), CONTEXT)
    seconds, (_, peak) = time.monotonic() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(error.value).startswith("the prompt has more tokens than this model's context of 40; shorten it, or")
    assert cut == TOKENIZER.encode(text[-100:]).ids[-CONTEXT:]
    assert seconds < 1
    assert peak < 100e6


@pytest.mark.parametrize(
    ("count", "settings", "kept", "limit"),
    [
        (10, Generation(), 10, 30),
        (10, Generation(max_tokens=30), 10, 30),
        (1, Generation(max_tokens=5), 1, 5),
        (39, Generation(), 39, 1),
        (100, Generation(overflow="truncate"), 20, 20),
        (10, Generation(overflow="truncate"), 10, 30),
        (30, Generation(overflow="truncate", max_tokens=15), 25, 15),
        (100, Generation(overflow="truncate", max_tokens=39), 1, 39),
        (39, Generation(overflow="slide", max_tokens=500), 39, 500),
        (40, Generation(overflow="slide"), 20, 40),
        (100, Generation(overflow="slide", max_tokens=1), 20, 1),
    ],
)
def test_newest_tokens_of_a_prompt_stay(count: int, settings: Generation, kept: int, limit: int) -> None:
    tokens = list(range(count))
    assert fit_prompt(tokens, settings, CONTEXT) == (tokens[count - kept :], limit)


OTHER = "or use `--overflow truncate` or `--overflow slide`"


@pytest.mark.parametrize(
    ("count", "settings", "message"),
    [
        (40, Generation(), f"the prompt's 40 tokens fill this model's context of 40; shorten it, {OTHER}"),
        (
            30,
            Generation(max_tokens=11),
            "the prompt's 30 tokens and 11 new ones exceed this model's context of 40; ask for at most 10 new ones, "
            + OTHER,
        ),
        (
            5,
            Generation(overflow="truncate", max_tokens=40),
            "40 new tokens fill this model's context of 40; ask for at most 39",
        ),
    ],
)
def test_what_does_not_fit_is_an_error(count: int, settings: Generation, message: str) -> None:
    with pytest.raises(UserError) as error:
        fit_prompt(list(range(count)), settings, CONTEXT)
    assert str(error.value) == message


def test_word_is_spelled_alone_and_behind_a_space() -> None:
    assert encode_word(TOKENIZER, "ab") == [(97, 98), (32, 97, 98)]
    assert encode_word(TOKENIZER, "<|endoftext|>") == [(256,), (32, 256)]
