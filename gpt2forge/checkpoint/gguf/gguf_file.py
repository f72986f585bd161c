"""Reads the header of a GGUF file: its metadata, and where each tensor lies.

The format: magic, version, counts, metadata as typed key-value pairs, tensor infos, then the data, aligned
(https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

import math
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.gguf.ggml_types import GGML_TYPES
from gpt2forge.checkpoint.safetensors import ITEM_SIZES
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError
from gpt2forge.regular_file import read_start

MAGIC = b"GGUF"
VERSIONS = (2, 3)
LARGEST_HEADER = 1 << 25  # bytes; a vocabulary of 250,000 tokens takes a quarter of it
LARGEST_RANK = 4  # ggml's
ALIGNMENT = 32  # bytes, unless the metadata say otherwise
STRING, ARRAY, BOOL = 8, 9, 7
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", BOOL: "B", 10: "Q", 11: "q", 12: "d"}
"""The metadata's types of numbers, as codes of `struct` and `array`."""


@dataclass(frozen=True)
class GgufTensor:
    """The position of a tensor: `offset` from the start of the file and `nbytes`, both in bytes.

    `shape` has the order of numpy: the last axis is contiguous. `dtype` is a key of ITEM_SIZES, or the name of a type
    that cannot be read; `nbytes` is 0 then.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


@dataclass(frozen=True)
class GgufFile:
    """The contents of a header. A number's array is an `array`, a list of texts a list."""

    metadata: dict[str, Any]
    tensors: dict[str, GgufTensor]


def read_gguf(path: Path) -> GgufFile:
    """Read the header of a GGUF file. Raises UserError if it is damaged, or if a tensor lies outside the file."""
    size = path.stat().st_size
    cursor = Cursor(read_start(path, LARGEST_HEADER))
    try:
        return parse_header(cursor, size)
    except (ValueError, struct.error, OverflowError) as error:
        raise UserError(f"{path}: not a GGUF file, or damaged: {error}; is the download complete?") from error


class Cursor:
    """Takes values from the first bytes of a file, one after the other. Each raises ValueError past the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        """Take this many bytes."""
        if count > len(self.data) - self.at:
            raise ValueError(f"{count} bytes at {self.at} lie behind its end, or its header is too large")
        self.at += count
        return self.data[self.at - count : self.at]

    def take_number(self, code: str) -> Any:
        """Take a little-endian number, by its code in `struct`."""
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def take_text(self) -> str:
        """Take a text behind its length. Bytes that are not UTF-8 are replaced."""
        return self.take(self.take_number("Q")).decode("utf-8", "replace")


def parse_header(cursor: Cursor, size: int) -> GgufFile:
    """Parse a header of a file of `size` bytes. Raises ValueError if it is damaged."""
    if cursor.take(4) != MAGIC:
        raise ValueError("its first bytes are not `GGUF`")
    version = cursor.take_number("I")
    if version not in VERSIONS:
        raise ValueError(f"it has version {version}; only 2 and 3 can be read")
    tensors, pairs = cursor.take_number("Q"), cursor.take_number("Q")
    metadata = {}
    for _ in range(pairs):  # a count that is too large ends at the end of the data
        key = cursor.take_text()
        metadata[key] = take_value(cursor, cursor.take_number("I"))
    alignment = metadata.get("general.alignment", ALIGNMENT)
    if type(alignment) is not int or alignment < 1:
        raise ValueError("its alignment is not a count")
    infos = [take_info(cursor) for _ in range(tensors)]
    start = -(-cursor.at // alignment) * alignment
    return GgufFile(metadata, dict(place(infos, start, size)))


def take_value(cursor: Cursor, kind: int) -> Any:
    """Take a value of the metadata. Raises ValueError for an unknown type, or arrays in arrays."""
    if kind in SCALARS:
        value = cursor.take_number(SCALARS[kind])
        return bool(value) if kind == BOOL else value
    if kind == STRING:
        return cursor.take_text()
    if kind != ARRAY:
        raise ValueError(f"a value has the unknown type {kind}")
    inner, count = cursor.take_number("I"), cursor.take_number("Q")
    if inner == STRING:
        return [cursor.take_text() for _ in range(count)]
    if inner not in SCALARS:
        raise ValueError(f"an array holds values of the type {inner}")
    code = SCALARS[inner]
    values = array(code)
    values.frombytes(cursor.take(count * struct.calcsize(f"<{code}")))
    return values


def take_info(cursor: Cursor) -> GgufTensor:
    """Take a tensor's info. Its offset still begins at the data."""
    name = cursor.take_text()
    rank = cursor.take_number("I")
    if not 0 < rank <= LARGEST_RANK:
        raise ValueError(f"{quote_untrusted(name)} has {rank} axes")
    shape = tuple(cursor.take_number("Q") for _ in range(rank))[::-1]
    kind, offset = cursor.take_number("I"), cursor.take_number("Q")
    dtype = GGML_TYPES.get(kind, f"type {kind}")
    return GgufTensor(name, dtype, shape, offset, ITEM_SIZES.get(dtype, 0) * math.prod(shape))


def place(infos: list[GgufTensor], start: int, size: int) -> Iterator[tuple[str, GgufTensor]]:
    """Yield the tensors with offsets from the file's start. Raises ValueError if one lies outside or occurs twice."""
    seen: set[str] = set()
    for info in infos:
        offset = start + info.offset
        if offset + info.nbytes > size:
            where = f"lies at {offset} to {offset + info.nbytes}, but the file has {size} bytes"
            raise ValueError(f"{quote_untrusted(info.name)} {where}")
        if info.name in seen:
            raise ValueError(f"{quote_untrusted(info.name)} occurs twice")
        seen.add(info.name)
        yield info.name, GgufTensor(info.name, info.dtype, info.shape, offset, info.nbytes)
