"""Reads the values of a checkpoint's tensors as float32, a piece at a time, and checks them."""

import itertools
from collections.abc import Iterator
from typing import Any

import google_crc32c
import numpy as np

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.dtypes import find_dtype
from gpt2forge.errors import UserError
from gpt2forge.regular_file import open_binary

BUFFER = 1 << 20  # bytes
PIECE = 1 << 18  # values; two pieces of float32 stay in a core's cache from reading through checking to writing


def read_pieces(
    tensor: SourceTensor, buffers: Iterator[np.ndarray[Any, Any]] | None = None
) -> Iterator[np.ndarray[Any, Any]]:
    """Yield a tensor's values in order as flat float32 arrays of at most PIECE values.

    Each piece is valid until the next but one is requested. Raises UserError if the bytes do not match their
    checksum; it may do so only after the last piece.
    """
    if tensor.make is not None:
        yield from cut_pieces(tensor.make(), tensor)
        return
    dtype = find_dtype(tensor.dtype)
    buffers = make_buffers() if buffers is None else buffers
    crc = 0
    with open_binary(tensor.path) as file:
        file.seek(tensor.offset)
        size = min(PIECE * dtype.itemsize, BUFFER)
        for start in range(0, tensor.nbytes, size):
            piece = next(buffers)[: min(size, tensor.nbytes - start)]
            if file.readinto(piece.data) != piece.size:
                raise UserError(f"{tensor.path}: ends inside `{tensor.name}`; is the download complete?")
            if tensor.crc is not None:
                crc = google_crc32c.extend(crc, piece)
            yield piece.view(dtype).astype(find_dtype("F32"), copy=False)
    if tensor.crc is not None and crc != tensor.crc:
        raise UserError(f"{tensor.path}: the checksum of `{tensor.name}` does not match; copy the file there again")


def cut_pieces(values: np.ndarray[Any, Any], tensor: SourceTensor) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the values of an array as `read_pieces` does. Raises UserError if it has another shape than the tensor."""
    if values.shape != tensor.shape:
        raise UserError(f"{tensor.path}: `{tensor.name}` has the shape {list(values.shape)}, not {list(tensor.shape)}")
    rows = values.reshape(1, -1) if values.ndim < 2 else values
    row = rows[0].size
    step = max(1, PIECE // row)
    for first in range(0, len(rows), step):
        flat = np.ascontiguousarray(rows[first : first + step], dtype=find_dtype("F32")).reshape(-1)
        for start in range(0, flat.size, PIECE):
            yield flat[start : start + PIECE]


def make_buffers() -> Iterator[np.ndarray[Any, Any]]:
    """Yield two buffers of one piece in turns, without end; they serve for tensor after tensor."""
    return itertools.cycle((np.empty(BUFFER, np.uint8), np.empty(BUFFER, np.uint8)))


def hold_same_values(one: SourceTensor, other: SourceTensor) -> bool:
    """Return whether two tensors of equal shape are equal bit for bit as float32."""
    pairs = zip(read_pieces(one), read_pieces(other), strict=True)
    return all(np.array_equal(first.view(np.uint32), second.view(np.uint32)) for first, second in pairs)
