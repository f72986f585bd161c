"""Text from files of unknown origin: small files are read with a size limit, names are shown on one line."""

import json
import re
from pathlib import Path
from typing import Any

from gpt2forge.errors import UserError

LARGEST_TEXT = 1 << 26  # bytes; a vocabulary of 250,000 tokens takes a tenth of it
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]", re.ASCII)
LONGEST_NAME = 100  # characters


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises UserError if the file holds anything else."""
    text = read_text(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: not a JSON object; is it the right file?")
    if SURROGATE.search(text) and not is_text(value):
        raise UserError(f"{path}: holds half of a surrogate pair, which is not a character; write the file again")
    return value


def is_text(value: Any) -> bool:
    """Return whether all text in a JSON value is made of whole characters."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def read_text(path: Path) -> str:
    """Read a small UTF-8 file without translating line ends; a byte order mark is left out.

    Raises UserError if it is too large or not UTF-8.
    """
    if path.stat().st_size > LARGEST_TEXT:
        raise UserError(f"{path}: larger than {LARGEST_TEXT} bytes; is it the right file?")
    try:
        return path.read_bytes().decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text: {error}; is it the right file?") from error


def quote_untrusted(value: object) -> str:
    """Return a value from a file for a message: in backticks, escaped if it is not printable, cut to LONGEST_NAME."""
    text = str(value)
    shown = text if text.isprintable() else ascii(text)
    return f"`{shown}`" if len(shown) <= LONGEST_NAME else f"`{shown[:LONGEST_NAME]}...`"
