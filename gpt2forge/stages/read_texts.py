"""Reads the texts that a recipe names, for the stages."""

from pathlib import Path
from typing import Protocol

from gpt2forge.errors import UserError


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
    tokens = encode_beginning(read_tokenizer(weights), read_text(path), most)
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

    return read_text(path)[: FIRST_TRY * most]


def read_text(path: Path) -> str:
    """Read a text. Raises UserError if it is empty or not UTF-8."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text at byte {error.start}; convert it first") from error
    if not text:
        raise UserError(f"{path}: is empty; use a text of some thousands of tokens")
    return text
