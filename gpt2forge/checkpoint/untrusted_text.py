"""Text from files of unknown origin: small files are read with a size limit, names are shown on one line."""

import json
import re
from math import isfinite
from pathlib import Path
from typing import Any

from gpt2forge.errors import UserError
from gpt2forge.regular_file import read_whole
from gpt2forge.terminal_text import escape_line

LARGEST_TEXT = 1 << 26  # bytes; a vocabulary of 250,000 tokens takes a tenth of it
MOST_MARKS = 1 << 22  # of MARKS in JSON, of which each value has one at least; 250,000 tokens with merges have a third
MARKS = ",:[{"
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]", re.ASCII)
LONGEST_NAME = 100  # characters
DEEPEST = 64  # levels of nested JSON; what is written again must not reach Python's limit


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises UserError if the file holds anything else, or what no JSON file may hold."""
    text = read_text(path)
    if sum(map(text.count, MARKS)) > MOST_MARKS:  # a list of three bytes takes 60 in memory
        raise UserError(f"{path}: holds millions of values; is it the right file?")
    try:
        value = json.loads(text, parse_constant=refuse_constant, parse_float=parse_finite)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: not a JSON object; is it the right file?")
    if is_deep(value):
        raise UserError(f"{path}: nested deeper than {DEEPEST} levels; is it the right file?")
    if SURROGATE.search(text) and not is_text(value):
        raise UserError(f"{path}: holds half of a surrogate pair, which is not a character; write the file again")
    return value


def refuse_constant(name: str) -> None:
    """Raise ValueError for NaN and Infinity, which Python writes but which are not JSON."""
    raise ValueError(f"{name} is not a number that JSON has; replace it")


def parse_finite(digits: str) -> float:
    """Return a number. Raises ValueError if it is so large that it would be written as Infinity."""
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"{digits[:LONGEST_NAME]} is too large for a number; replace it")
    return number


def is_deep(value: Any) -> bool:
    """Return whether a JSON value has more than DEEPEST levels."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def is_text(value: Any) -> bool:
    """Return whether all text in a JSON value is made of whole characters."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def read_text(path: Path) -> str:
    """Read a small UTF-8 file without translating line ends; a byte order mark is left out.

    Raises UserError if it is too large, no regular file or not UTF-8.
    """
    try:
        return read_small(path, LARGEST_TEXT).decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text: {error}; is it the right file?") from error


def read_small(path: Path, most: int) -> bytes:
    """Read a file of at most `most` bytes.

    Raises FileNotFoundError if it is missing, UserError if it is larger or cannot be read.
    """
    try:
        return read_whole(path, most)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; is it the right file?") from error


def quote_untrusted(value: object) -> str:
    """Return a value from a file for a message: in backticks, escaped if it is not printable, cut to LONGEST_NAME."""
    shown = escape_line(str(value)[: LONGEST_NAME + 1])
    return f"`{shown}`" if len(shown) <= LONGEST_NAME else f"`{shown[:LONGEST_NAME]}...`"
