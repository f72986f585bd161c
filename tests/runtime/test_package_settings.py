"""The settings that generation_config.json names, in both directions."""

from typing import Any

import pytest

from gpt2forge.runtime.package_settings import OURS, set_settings, take_guesses, take_settings

DRAWN = {"temperature": 1.0, "top_k": 50, "top_p": 1.0, "min_p": 0.0}


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ({}, {}),
        ({"temperature": 0.5, "top_p": 0.5}, {}),
        ({"do_sample": False, "temperature": 0.5}, {"temperature": 0.0}),
        ({"do_sample": True}, DRAWN),
        (
            {"do_sample": True, "temperature": 0.5, "top_k": 0, "min_p": 0.1},
            DRAWN | {"temperature": 0.5, "top_k": 0, "min_p": 0.1},
        ),
        ({"do_sample": True, "temperature": 0, "top_k": -1, "top_p": "x", "min_p": 2}, DRAWN),
        (
            {"do_sample": "yes", "repetition_penalty": 1.2, "max_new_tokens": 9},
            {"repetition_penalty": 1.2, "usual_tokens": 9},
        ),
        ({"repetition_penalty": 0, "max_new_tokens": True}, {}),
    ],
)
def test_what_a_file_names_means_the_same_as_in_transformers(file: dict[str, Any], settings: dict[str, Any]) -> None:
    assert take_settings(file) == settings


@pytest.mark.parametrize(
    ("file", "wanted", "drawn"),
    [
        ({}, {}, OURS),
        ({}, {"temperature": 0.5}, OURS | {"temperature": 0.5}),
        ({"do_sample": True}, {"top_p": 0.5}, DRAWN | {"top_p": 0.5}),
        ({"do_sample": False}, {"top_p": 0.5}, OURS | {"top_p": 0.5}),
        (
            {},
            {"temperature": 0.7, "top_k": 3, "top_p": 0.4, "min_p": 0.2},
            {"temperature": 0.7, "top_k": 3, "top_p": 0.4, "min_p": 0.2},
        ),
    ],
)
def test_what_is_written_is_read_again(file: dict[str, Any], wanted: dict[str, Any], drawn: dict[str, Any]) -> None:
    made = set_settings(file | {"eos_token_id": 3}, wanted)
    assert made["eos_token_id"] == 3
    assert take_settings(made) == drawn


def test_likeliest_tokens_leave_no_trace_of_what_was_drawn() -> None:
    made = set_settings({"do_sample": True, "temperature": 0.5, "top_k": 3}, {"temperature": 0.0, "max_tokens": 7})
    assert made == {"do_sample": False, "max_new_tokens": 7}
    assert set_settings({"do_sample": False}, {"repetition_penalty": 2.0}) == {
        "do_sample": False,
        "repetition_penalty": 2.0,
    }


@pytest.mark.parametrize(
    ("speculative", "guesses"),
    [
        (None, None),
        ("prompt-lookup", None),
        ({"draft": "another"}, None),
        ({"draft": "prompt-lookup", "tokens": "auto"}, ("prompt-lookup", None)),
        ({"draft": "draft", "tokens": 4}, ("draft", 4)),
    ],
)
def test_guesses_are_those_of_the_file(speculative: object, guesses: object) -> None:
    assert take_guesses({"speculative": speculative}) == guesses
