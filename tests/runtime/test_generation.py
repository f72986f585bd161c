"""Settings of a generation: their types, ranges and messages."""

import dataclasses
from typing import Any

import pytest

from gpt2forge.errors import UserError
from gpt2forge.runtime.generation import RANGES, Generation, Options, draw_seed


def test_keyword_arguments_are_the_settings() -> None:
    names = {field.name for field in dataclasses.fields(Generation)}
    assert names - {"max_tokens"} == Options.__annotations__.keys()
    assert RANGES.keys() <= names


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": -1.0}, "temperature is -1.0; it must be 0 or more"),
        ({"temperature": float("nan")}, "temperature is nan; it must be 0 or more"),
        ({"top_k": -1}, "top-k is -1; it must be 0 (all tokens) or more"),
        ({"top_p": 0.0}, "top-p is 0.0; it must be above 0 and at most 1"),
        ({"min_p": 1.5}, "min-p is 1.5; it must be from 0 to 1"),
        ({"typical_p": float("nan")}, "typical-p is nan; it must be above 0 and at most 1"),
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"max_tokens": 0}, "max-tokens is 0; it must be 1 or more"),
        ({"repetition_penalty": 0.0}, "repetition-penalty is 0.0; it must be from 0.001 to 1000; 1 changes nothing"),
        (
            {"presence_penalty": float("inf")},
            "presence-penalty is inf; it must be from -10000 to 10000; 0 changes nothing",
        ),
        ({"no_repeat_ngram": -2}, "no-repeat-ngram is -2; it must be 0 (off) or more"),
        ({"overflow": "cut"}, "overflow is cut; it must be `error`, `truncate` or `slide`"),
        ({"min_tokens": 5, "max_tokens": 4}, "min-tokens is 5, more than max-tokens, 4; lower it"),
        ({"speculative": "draft"}, "speculative is draft; it must be `prompt-lookup` or a model"),
        (
            {"beams": 2, "speculative": "prompt-lookup"},
            "a search with beams guesses no tokens; use `speculative` with one beam",
        ),
        ({"forced": ["a"]}, "forced words need a search; set `beams` to 4 or more"),
        ({"beams": 2, "overflow": "slide"}, "beams cannot go past the context; use `overflow` `truncate`, or one beam"),
        ({"stop": [""]}, "a stop string or a banned or forced word is empty; leave it out"),
        ({"length_penalty": 1000.0}, "length-penalty is 1000.0; it must be from -50 to 50"),
        (
            {"frequency_penalty": 1e308},
            "frequency-penalty is 1e+308; it must be from -10000 to 10000; 0 changes nothing",
        ),
        ({"bias": {5: 1e308}}, "bias of the token 5 is 1e+308; it must be from -10000 to 10000, or -inf to forbid it"),
        (
            {"bias": {5: float("nan")}},
            "bias of the token 5 is nan; it must be from -10000 to 10000, or -inf to forbid it",
        ),
    ],
)
def test_setting_without_meaning_is_an_error(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        Generation(**wrong)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(("temperature", "1"), ("temperature", None), ("top_k", 1.5), ("seed", "a"), ("max_tokens", True)),
        *(("top_k", None), ("usual_tokens", None), ("overflow", None), ("ignore_end", "no"), ("ignore_end", 1)),
        *(("stop", "end"), ("banned", [5]), ("ends", ["a"]), ("bias", [1]), ("bias", {"a": 1.0}), ("bias", {1: "a"})),
    ],
)
def test_setting_of_a_wrong_type_is_named(name: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"^`{name}` must be "):
        Generation(**{name: wrong})


def test_seed_is_drawn_unless_there_is_one_or_nothing_is_drawn() -> None:
    assert draw_seed(Generation(seed=5)).seed == 5
    assert len({draw_seed(Generation()).seed for _ in range(5)}) == 5
    assert draw_seed(Generation(temperature=0, seed=5)).seed is None
