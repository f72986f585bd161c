"""Tests of text and its tokens: characters stay whole, however their bytes are cut, and windows cover a text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from gpt2forge.errors import UserError
from gpt2forge.runtime.text import BYTES, cut_windows, encode_beginning, open_stream, read_tokenizer
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
    stream = open_stream(TOKENIZER)
    pieces = [stream.push(byte) for byte in text.encode()]
    assert "".join(pieces) + stream.finish() == text
    assert "\ufffd" not in "".join(pieces) or "\ufffd" in text


@given(st.lists(st.integers(0, 255)))
def test_bytes_that_are_no_text_come_as_replacements(tokens: list[int]) -> None:
    stream = open_stream(TOKENIZER)
    text = "".join(stream.push(token) for token in tokens) + stream.finish()
    assert text == bytes(tokens).decode("utf-8", "replace")


def test_half_a_character_waits() -> None:
    stream = open_stream(TOKENIZER)
    assert [stream.push(byte) for byte in "é".encode()] == ["", "é"]
    assert stream.finish() == ""


def test_added_and_unknown_tokens_do_no_harm() -> None:
    stream = open_stream(TOKENIZER)
    assert stream.push(END) == "<|endoftext|>"
    assert stream.push(END + 1) == ""


@pytest.mark.parametrize("kind", ["wordpiece", "metaspace", "fallback"])
def test_pieces_of_words_add_up_to_what_the_tokenizer_decodes(kind: str) -> None:
    tokenizer = make_words(kind)
    ids = tokenizer.encode("hello worlds, hello\u00e9 hello").ids
    stream = open_stream(tokenizer)
    pieces = [stream.push(token) for token in ids]
    assert "".join(pieces) + stream.finish() == tokenizer.decode(ids, skip_special_tokens=False)
    assert len([piece for piece in pieces if piece]) > 3


def make_words(kind: str) -> Tokenizer:
    """Make a tokenizer whose tokens are words or parts of words."""
    words = ["[UNK]", "hello", "world", "##s", ",", "##\u00e9", "\u2581hello", "\u2581world", "s", "\u2581"]
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
        return tokenizer
    scored = [(word, -float(number)) for number, word in enumerate(words)]
    scored += [(f"<0x{byte:02X}>", -20.0) for byte in range(256)] if kind == "fallback" else []
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=0, byte_fallback=kind == "fallback"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    space = decoders.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), space]) if kind == "fallback" else space
    return tokenizer


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
