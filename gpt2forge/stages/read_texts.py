"""The texts that a recipe names, as stages read them."""

from pathlib import Path

from gpt2forge.errors import UserError


def read_windows(weights: Path, path: Path, most: int) -> list[list[int]]:
    """The first `most` tokens of a text, cut to the context of the model in `weights`.

    Raises UserError when the text is not UTF-8 or too short, or the checkpoint has no tokenizer.
    """
    from gpt2forge.checkpoint.config import read_config
    from gpt2forge.runtime.text import cut_windows, encode_beginning, read_tokenizer

    context = read_config(weights).n_positions
    tokens = encode_beginning(read_tokenizer(weights), read_text(path), most)
    windows = cut_windows(tokens, context)
    if not windows:
        raise UserError(
            f"{path}: of {len(tokens)} tokens and in a context of {context} nothing can be predicted; give some "
            "thousands of tokens"
        )
    return windows


def read_text(path: Path) -> str:
    """The text; raises UserError when it is empty or not UTF-8."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text at byte {error.start}; convert it first") from error
    if not text:
        raise UserError(f"{path}: is empty; give some thousands of tokens")
    return text
