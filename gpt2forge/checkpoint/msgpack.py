"""Reads a msgpack file in which flax has stored arrays: mappings as dicts, arrays as their places in the file.

flax packs an array as an extension of type 1, which holds another msgpack value: [shape, name of the type, bytes].
https://github.com/msgpack/msgpack/blob/master/spec.md
"""

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError
from gpt2forge.regular_file import open_binary

MOST_VALUES = 1_000_000  # in a file; a GPT-2 of 48 layers takes a thousandth of it
DEEPEST = 16
ARRAY = 1  # flax's extension type
# Kinds of values by their first byte, with the bytes of the length, or of the number, that follow it.
SIZED = {
    0xC4: ("bytes", 1), 0xC5: ("bytes", 2), 0xC6: ("bytes", 4),
    0xC7: ("extension", 1), 0xC8: ("extension", 2), 0xC9: ("extension", 4),
    0xCA: ("number", 4), 0xCB: ("number", 8),
    0xCC: ("count", 1), 0xCD: ("count", 2), 0xCE: ("count", 4), 0xCF: ("count", 8),
    0xD0: ("number", 1), 0xD1: ("number", 2), 0xD2: ("number", 4), 0xD3: ("number", 8),
    0xD9: ("text", 1), 0xDA: ("text", 2), 0xDB: ("text", 4),
    0xDC: ("list", 2), 0xDD: ("list", 4), 0xDE: ("mapping", 2), 0xDF: ("mapping", 4),
}  # fmt: skip
CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}


@dataclass(frozen=True)
class Bytes:
    """The place of bytes in a file."""

    offset: int
    nbytes: int


@dataclass(frozen=True)
class Array:
    """The place of an array in a file; `dtype` is numpy's name of its type."""

    shape: tuple[int, ...]
    dtype: str
    values: Bytes


def read_msgpack(path: Path) -> Any:
    """Read a file. Raises UserError if it is damaged."""
    try:
        with open_binary(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            reader = Reader(data)
            value = reader.read()
            if reader.at != len(data):
                raise ValueError(f"{len(data) - reader.at} bytes follow its value")
            return value
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{path}: not a msgpack file of flax, or damaged: {quote_untrusted(error)}") from error


class Reader:
    """Reads values one after another; `at` is the offset of the next one. Raises ValueError for damaged data."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0
        self.left = MOST_VALUES

    def read(self, depth: int = 0) -> Any:
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            raise ValueError("it holds more values than a model")
        first = self.take_count(1)
        if first in CONSTANTS:
            return CONSTANTS[first]
        if first < 0x80 or first >= 0xE0:
            return first if first < 0x80 else first - 0x100
        kind, length = self.read_kind(first)
        return self.read_sized(kind, length, depth)

    def read_kind(self, first: int) -> tuple[str, int]:
        """Return the kind of a value, and its length: of a number the width, of others what they hold."""
        if first < 0xA0:
            return "mapping" if first < 0x90 else "list", first & 15
        if first < 0xC0:
            return "text", first & 31
        if first in FIXED_EXTENSIONS:
            return "extension", FIXED_EXTENSIONS[first]
        if first not in SIZED:
            raise ValueError(f"0x{first:02x} begins no value")
        kind, width = SIZED[first]
        return kind, width if kind in ("count", "number") else self.take_count(width)

    def read_sized(self, kind: str, length: int, depth: int) -> Any:
        if kind == "mapping":
            return {self.read_name(depth): self.read(depth + 1) for _ in range(length)}
        if kind == "list":
            return [self.read(depth + 1) for _ in range(length)]
        if kind == "count":
            return self.take_count(length)
        if kind == "extension":
            return self.read_extension(self.take_count(1), length, depth)
        place = self.take(length)
        if kind == "text":
            return self.data[place.offset : place.offset + length].decode()
        return place

    def read_name(self, depth: int) -> str:
        name = self.read(depth + 1)
        if not isinstance(name, str):
            raise ValueError("a key is no text")
        return name

    def read_extension(self, code: int, length: int, depth: int) -> Any:
        """Return the array in an extension, None for another one."""
        end = self.at + length
        if code != ARRAY:
            self.take(length)
            return None
        shape, dtype, values = self.read(depth + 1)
        is_shape = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
        if self.at != end or not is_shape or not isinstance(dtype, str) or not isinstance(values, Bytes):
            raise ValueError("an array has no valid shape and type")
        return Array(tuple(shape), dtype, values)

    def take(self, count: int) -> Bytes:
        """Pass over some bytes, and return their place."""
        place = Bytes(self.at, count)
        self.at += count
        if self.at > len(self.data):
            raise ValueError("it ends inside a value")
        return place

    def take_count(self, width: int) -> int:
        place = self.take(width)
        return int.from_bytes(self.data[place.offset : place.offset + width], "big")


def list_arrays(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Array]]:
    """Yield every array below mappings, with the keys that lead to it, joined by dots."""
    if isinstance(value, Array):
        yield ".".join(path), value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from list_arrays(child, (*path, key))
