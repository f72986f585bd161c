"""A tensor of a checkpoint where it lies on disk, and how its values are read: in pieces, checked, as float32."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from gpt2forge.checkpoint.config import ModelConfig
from gpt2forge.checkpoint.safetensors import DTYPES
from gpt2forge.checkpoint.tf1.leveldb import mask
from gpt2forge.checkpoint.untrusted_text import quote
from gpt2forge.errors import UserError

PIECE = 1 << 18  # values; two pieces of float32 stay in a core's cache, from reading over checking to writing


@dataclass(frozen=True)
class Stored:
    """A tensor's bytes in a file, little-endian and without holes.

    `name` is the one in the weights artifact; `offset` and `nbytes` are bytes; `crc` is TensorFlow's masked crc32c of
    the bytes, None where the format has none.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    offset: int
    nbytes: int
    crc: int | None

    @property
    def count(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class LeftOut:
    """A tensor of the checkpoint that is no part of the model: an optimizer's, a counter, a buffer."""

    name: str
    dtype: str
    nbytes: int


@dataclass(frozen=True)
class Contents:
    """What a checkpoint holds: the model's tensors in the order of the weights artifact, and the rest."""

    config: ModelConfig
    tensors: tuple[Stored, ...]
    left_out: tuple[LeftOut, ...]
    step: int | None = None


def read_pieces(
    tensor: Stored, buffers: Iterator[np.ndarray[Any, Any]] | None = None
) -> Iterator[np.ndarray[Any, Any]]:
    """Yield a tensor's values in order as flat float32 arrays of at most PIECE values.

    A piece is overwritten by the one after the next. Raises UserError, at the latest after the last piece, where the
    bytes are not the ones that were written.
    """
    dtype = DTYPES[tensor.dtype]
    buffers = make_buffers() if buffers is None else buffers
    crc = 0
    with tensor.path.open("rb", buffering=0) as file:
        file.seek(tensor.offset)
        for start in range(0, tensor.nbytes, PIECE * dtype.itemsize):
            piece = next(buffers)[: min(PIECE * dtype.itemsize, tensor.nbytes - start)]
            if file.readinto(piece.data) != piece.size:
                raise UserError(f"{tensor.path}: ends inside of `{tensor.name}`; is the download complete?")
            if tensor.crc is not None:
                crc = google_crc32c.extend(crc, piece)
            yield piece.view(dtype).astype(DTYPES["F32"], copy=False)
    if tensor.crc is not None and mask(crc) != tensor.crc:
        raise UserError(f"{tensor.path}: the checksum of `{tensor.name}` does not fit; copy the file there again")


def make_buffers() -> Iterator[np.ndarray[Any, Any]]:
    """Room for a piece and for the next, in turns, to be used for tensor after tensor."""
    return itertools.cycle((np.empty(4 * PIECE, np.uint8), np.empty(4 * PIECE, np.uint8)))


def hold_same_values(one: Stored, other: Stored) -> bool:
    """Whether two tensors of equal shape are equal bit for bit as float32."""
    pairs = zip(read_pieces(one), read_pieces(other), strict=True)
    return all(np.array_equal(first.view(np.uint32), second.view(np.uint32)) for first, second in pairs)


def check_stored(tensor: Stored, shape: tuple[int, ...], said_by: Path, index: Path, there: str) -> None:
    """Raise UserError unless a tensor has this shape, a type that can be read, and lies in its file.

    `there` is its name in the checkpoint's `index`; `said_by` is the file that the shape comes from.
    """
    if tensor.shape != shape:
        raise UserError(
            f"{index}: {quote(there)} has the shape {list(tensor.shape)}, but {said_by.name} makes it {list(shape)}; "
            f"is {said_by} the one of this checkpoint?"
        )
    if tensor.dtype not in DTYPES:
        known = "`, `".join(DTYPES)
        raise UserError(f"{index}: {quote(there)} is of type {quote(tensor.dtype)}; only `{known}` can be read")
    if tensor.nbytes != DTYPES[tensor.dtype].itemsize * math.prod(shape):
        raise UserError(
            f"{index}: {quote(there)} has {tensor.nbytes} bytes, which is not {list(shape)} of {tensor.dtype}"
        )
    size = tensor.path.stat().st_size
    if tensor.offset < 0 or tensor.offset + tensor.nbytes > size:
        raise UserError(
            f"{tensor.path}: has {size} bytes, but {quote(there)} lies at {tensor.offset} to "
            f"{tensor.offset + tensor.nbytes}; is the download complete?"
        )


def check_apart(tensors: tuple[Stored, ...]) -> None:
    """Raise UserError where two tensors share bytes of a file."""
    ordered = sorted(tensors, key=lambda tensor: (tensor.path, tensor.offset, tensor.nbytes))
    for one, other in itertools.pairwise(ordered):
        if one.path == other.path and one.offset + one.nbytes > other.offset:
            raise UserError(f"{one.path}: `{one.name}` and `{other.name}` overlap; the index is damaged, copy it again")
