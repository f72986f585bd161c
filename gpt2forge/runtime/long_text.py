"""Encodes a text of any length in pieces, because the tokenizer's memory is some 160 times the text's size."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

from gpt2forge.runtime.text import check_text, encode_text

Array = np.ndarray[Any, Any]

PIECE = 1 << 18  # characters
BORDER = re.compile(r"\S\n(?=\S)")
"""Where GPT-2's pattern of words ends one in any case: behind a line end that has no other space beside it."""


def encode_long(tokenizer: Tokenizer, text: str) -> Array:
    """Return the ids (L,) of a text, without any that the tokenizer puts around texts.

    They are those that the whole text has. Raises UserError if it holds half of a surrogate pair.
    """
    check_text(text)
    pieces = cut_pieces(text) if splits_words(tokenizer) else iter([text])
    found = [np.array(encode_text(tokenizer, piece, False), np.int32) for piece in pieces]
    return np.concatenate([np.zeros(0, np.int32), *found])


def splits_words(tokenizer: Tokenizer) -> bool:
    """Return whether a tokenizer splits a text by GPT-2's pattern and changes nothing before."""
    first = tokenizer.pre_tokenizer
    return tokenizer.normalizer is None and isinstance(first, ByteLevel) and not first.add_prefix_space


def cut_pieces(text: str) -> Iterator[str]:
    """Yield pieces of a text that are PIECE characters long, or reach up to the next border behind that."""
    start = 0
    while start < len(text):
        border = BORDER.search(text, start + PIECE)
        end = border.end() if border else len(text)
        yield text[start:end]
        start = end
