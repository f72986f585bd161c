"""A long text that is encoded in pieces has the tokens of the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from gpt2forge.runtime import long_text
from gpt2forge.runtime.long_text import cut_pieces, encode_long, splits_words
from gpt2forge.runtime.text import read_tokenizer
from tests.workshop import ROOT, Workshop

NANO = ROOT / "examples/nano"


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    """Return a tokenizer whose tokens are the words that GPT-2's pattern cuts a text into."""
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def list_words(tokenizer: Tokenizer, text: str) -> list[str]:
    return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


@given(st.text("ab \n\t\r'1 é", max_size=60))
def test_no_word_lies_across_a_border(text: str) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    before, long_text.PIECE = long_text.PIECE, 3
    try:
        pieces = list(cut_pieces(text))
    finally:
        long_text.PIECE = before
    assert "".join(pieces) == text
    assert [word for piece in pieces for word in list_words(tokenizer, piece)] == list_words(tokenizer, text)


def test_other_tokenizers_see_the_whole_text(words: Tokenizer) -> None:
    assert splits_words(words)
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert not splits_words(words)
    words.pre_tokenizer = pre_tokenizers.Metaspace()
    assert not splits_words(words)


@pytest.mark.slow
def test_tokens_of_pieces_are_those_of_the_text(monkeypatch: pytest.MonkeyPatch, workshop: Workshop) -> None:
    tokenizer = read_tokenizer(workshop.build("nano-cpu-int8"))
    text = (NANO / "heldout.txt").read_text()
    monkeypatch.setattr(long_text, "PIECE", 500)
    assert len(list(cut_pieces(text))) > 30
    np.testing.assert_array_equal(encode_long(tokenizer, text), tokenizer.encode(text).ids)
