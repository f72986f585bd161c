"""Tests of text and its tokens: characters stay whole, however their bytes are cut, and windows cover a text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models

from gpt2forge.errors import UserError
from gpt2forge.runtime.text import BYTES, TextStream, cut_windows, encode_beginning, read_tokenizer
from tests.workshop import ROOT, Workshop

END = 256


def make_tokenizer() -> Tokenizer:
    """Make a tokenizer with one token for each byte, in the order of the bytes, and the end-of-text token."""
    tokenizer = Tokenizer(models.BPE(dict(BYTES), []))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    return tokenizer


TOKENIZER = make_tokenizer()


@given(st.text())
def test_pieces_add_up_to_the_text(text: str) -> None:
    stream = TextStream(TOKENIZER)
    pieces = [stream.push(byte) for byte in text.encode()]
    assert "".join(pieces) + stream.finish() == text
    assert "\ufffd" not in "".join(pieces) or "\ufffd" in text


@given(st.lists(st.integers(0, 255)))
def test_bytes_that_are_no_text_come_as_replacements(tokens: list[int]) -> None:
    stream = TextStream(TOKENIZER)
    text = "".join(stream.push(token) for token in tokens) + stream.finish()
    assert text == bytes(tokens).decode("utf-8", "replace")


def test_half_a_character_waits() -> None:
    stream = TextStream(TOKENIZER)
    assert [stream.push(byte) for byte in "é".encode()] == ["", "é"]
    assert stream.finish() == ""


def test_added_and_unknown_tokens_do_no_harm() -> None:
    stream = TextStream(TOKENIZER)
    assert stream.push(END) == "<|endoftext|>"
    assert stream.push(END + 1) == ""


def test_package_without_tokenizer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_tokenizer(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/tokenizer.json: is missing; copy the directory again, or give the checkpoint its tokenizer files "
        "and build again"
    )


def test_beginning_of_a_text_has_the_tokens_of_the_whole(workshop: Workshop) -> None:
    tokenizer = read_tokenizer(workshop.build("nano-cpu-int8"))
    text = (ROOT / "examples/nano/heldout.txt").read_text()
    whole = tokenizer.encode(text).ids
    for most in (1, 100, 5000, len(whole), len(whole) + 1):
        assert encode_beginning(tokenizer, text, most) == whole[:most]
    assert encode_beginning(tokenizer, " " * 100_000 + "x", 3) == tokenizer.encode(" " * 100_000 + "x").ids[:3]


def test_windows_follow_each_other_and_the_last_may_be_shorter() -> None:
    assert cut_windows(range(8), 3, 100) == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_a_single_token_at_the_end_predicts_nothing_and_is_left_out() -> None:
    assert cut_windows(range(7), 3, 100) == [[0, 1, 2], [3, 4, 5]]
    assert cut_windows([5], 3, 100) == []


def test_no_more_tokens_are_used_than_asked_for() -> None:
    assert cut_windows(range(100), 4, 6) == [[0, 1, 2, 3], [4, 5]]
