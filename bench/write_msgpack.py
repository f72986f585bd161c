"""Writes nested mappings of arrays as flax does in msgpack: an array is an extension of type 1.

https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

MAPPING, LIST, TEXT, BYTES, EXTENSION, COUNT = 0xDF, 0xDD, 0xDB, 0xC6, 0xC9, 0xCE  # each has 4 bytes of length or value
ARRAY = 1  # flax's extension type

Tree = Mapping[str, Any]
"""A mapping of names to further ones, or to functions that make an array."""


def write_msgpack(file: BinaryIO, tree: Tree | Callable[[], "np.ndarray[Any, Any]"]) -> None:
    """Write a mapping, or an array. One array is in memory at once."""
    if not isinstance(tree, Mapping):
        write_array(file, tree())
        return
    file.write(start(MAPPING, len(tree)))
    for name, child in tree.items():
        file.write(pack_text(name))
        write_msgpack(file, child)


def write_array(file: BinaryIO, values: "np.ndarray[Any, Any]") -> None:
    shape = b"".join(start(COUNT, length) for length in values.shape)
    head = (
        start(LIST, 3) + start(LIST, values.ndim) + shape + pack_text(values.dtype.name) + start(BYTES, values.nbytes)
    )
    file.write(start(EXTENSION, len(head) + values.nbytes) + bytes([ARRAY]) + head)
    file.write(np.ascontiguousarray(values).data)


def pack_text(text: str) -> bytes:
    return start(TEXT, len(text.encode())) + text.encode()


def start(kind: int, number: int) -> bytes:
    """Return the first byte of a value, and its length, or the value of a count."""
    return bytes([kind]) + number.to_bytes(4, "big")
