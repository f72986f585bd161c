"""Reads the file `checkpoint`, in which TensorFlow names the newest of a folder's checkpoints."""

import re
from pathlib import Path

from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_small
from gpt2forge.errors import UserError

LARGEST = 1 << 20  # bytes; TensorFlow lists a line for each save that it keeps, five by default
POINTER = re.compile(r'model_checkpoint_path:[ \t]*"(.*)"')
ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.ASCII)


def read_pointer(path: Path, names: set[str]) -> str:
    """Return the prefix that a `checkpoint` file (a text protobuf) names, without the folder in front of it."""
    written = find_path(path)
    # TensorFlow escapes the backslashes of a Windows path, but people who edit the file do not: try both readings.
    prefixes = [re.split(r"[/\\]", text)[-1] for text in (unescape(written), written)]
    for prefix in prefixes:
        if prefix and f"{prefix}.index" in names:
            return prefix
    name, index = (quote_untrusted(prefixes[-1] + suffix) for suffix in ("", ".index"))
    raise UserError(f"{path}: points to {name}, but {index} is not beside it; {suggest_index(names)}")


def find_path(path: Path) -> str:
    """Return the path as the first such line of the file writes it. Raises UserError if there is none."""
    text = read_small(path, LARGEST).decode("utf-8", "replace")
    # Line by line: one expression for the whole file takes quadratic time for a file of blank lines.
    for line in text.split("\n"):
        match = POINTER.fullmatch(line.strip())
        if match:
            return match[1]
    raise UserError(f'{path}: has no line `model_checkpoint_path: "..."`; write one that names the checkpoint')


def suggest_index(names: set[str]) -> str:
    found = sorted(name for name in names if name.endswith(".index"))
    shown = ", ".join(quote_untrusted(name) for name in found[:10]) + (", ..." if len(found) > 10 else "")
    return f"there is {shown}; correct the file or delete it" if found else "copy it there with its .data files"


def unescape(text: str) -> str:
    """Undo the escapes of a text protobuf's string."""
    simple = {"n": 10, "r": 13, "t": 9}

    def replace(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "01234567":
            return chr(int(code, 8) & 255)
        if code[0] == "x" and len(code) > 1:
            return chr(int(code[1:], 16))
        return chr(simple[code]) if code in simple else code

    if not text.isascii():
        return text
    return ESCAPE.sub(replace, text).encode("latin-1", "replace").decode("utf-8", "replace")
