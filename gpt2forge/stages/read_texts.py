"""Reads the texts that a recipe names, for the stages.

A stage needs the first tokens of a text, so only the bytes that surely hold them are read. The digest of a text, which
is part of keys, covers the same bytes: the rest of the file decides nothing.
"""

import codecs
from pathlib import Path
from typing import Protocol

from gpt2forge.errors import UserError
from gpt2forge.regular_file import read_start

BYTES = 64  # for each token; of English text it has four, of a row of spaces up to 128
SPARE = 1 << 16  # bytes for the tokens behind the last one, which decide how that one is cut
LARGEST = 1 << 26  # bytes, whatever the number of tokens


class TextLimit(Protocol):
    """The one field that a stage reads of the section that names its text. The text itself is an input."""

    @property
    def tokens(self) -> int: ...


def read_windows(weights: Path, path: Path, most: int) -> list[list[int]]:
    """Return the first `most` tokens of a text, cut into windows of the context of the model in `weights`.

    Raises UserError if the text is not UTF-8 or too short, or if the checkpoint has no tokenizer.
    """
    from gpt2forge.checkpoint.config import read_config
    from gpt2forge.runtime.text import cut_windows, encode_beginning, read_tokenizer

    context = read_config(weights).n_positions
    tokens = encode_beginning(read_tokenizer(weights), read_text(path, most), most)
    windows = cut_windows(tokens, context)
    if not windows:
        raise UserError(
            f"{path}: nothing can be predicted from {len(tokens)} tokens in a context of {context}; use a text of some "
            "thousands of tokens"
        )
    return windows


def read_beginning(path: Path, most: int) -> str:
    """Return the beginning of a text that surely holds `most` tokens, or the whole text."""
    from gpt2forge.runtime.text import FIRST_TRY

    return read_text(path, most)[: FIRST_TRY * most]


def count_bytes(tokens: int) -> int:
    """Return how many bytes at the start of a text are read for this many tokens."""
    return min(LARGEST, SPARE + BYTES * tokens)


def read_text(path: Path, tokens: int) -> str:
    """Read the part of a text that is used for this many tokens. Raises UserError if it is empty or not UTF-8."""
    most = count_bytes(tokens)
    try:
        data = read_start(path, most)
        # The last character of a longer text may be cut.
        text = codecs.getincrementaldecoder("utf-8")().decode(data, final=len(data) < most)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; name a file of text") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text at byte {error.start}; convert it first") from error
    if not text:
        raise UserError(f"{path}: is empty; use a text of some thousands of tokens")
    return text
