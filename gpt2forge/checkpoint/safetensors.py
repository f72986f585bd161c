"""One safetensors file: where each tensor lies, and a writer that holds one piece of a tensor at a time.

The format: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}}, then the data
without holes (https://github.com/huggingface/safetensors#format).
"""

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from gpt2forge.checkpoint.untrusted_text import quote
from gpt2forge.checkpoint.writeback import STRIDE, make_starter
from gpt2forge.digest import Hasher, Written
from gpt2forge.errors import UserError

DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}
ALIGNMENT = 4096  # the data starts on a page, so that the first tensors can be mapped
LARGEST_RANK = 64  # numpy's
LARGEST_HEADER = 1 << 24  # bytes; 1558M takes a hundredth of it


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies: `offset` and `nbytes` in bytes from the start of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


def read_header(path: Path) -> dict[str, Tensor]:
    """Say where every tensor of the file lies, in file order, without reading the data.

    Raises UserError when the header does not describe this file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, LARGEST_HEADER):
            raise UserError(f"{path}: not a safetensors file: the header does not fit into it")
        try:
            header = json.loads(file.read(length), object_pairs_hook=refuse_twins)
            header.pop("__metadata__", None)
            tensors = [locate(name, entry, 8 + length) for name, entry in header.items()]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{path}: not a safetensors file: {error!r}") from error
    tensors.sort(key=lambda tensor: (tensor.offset, tensor.nbytes))
    for tensor in tensors:
        if tensor.offset < 8 + length or tensor.offset + tensor.nbytes > size:
            raise UserError(f"{path}: tensor {quote(tensor.name)} lies outside the file; is the download complete?")
    return {tensor.name: tensor for tensor in tensors}


def refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a header; the format forbids a name that stands twice, of which readers take one or the other."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def locate(name: str, entry: Mapping[str, Any], start: int) -> Tensor:
    """Take one entry of the header; raises ValueError when its numbers do not agree."""
    begin, end = entry["data_offsets"]
    shape, dtype = tuple(entry["shape"]), entry["dtype"]
    if any(type(number) is not int or number < 0 for number in (begin, end, *shape)) or end < begin:
        raise ValueError(f"tensor `{name}` has a length that is none")
    if len(shape) > LARGEST_RANK or not isinstance(dtype, str):
        raise ValueError(f"tensor `{name}` has no shape and type")
    if dtype in DTYPES and end - begin != DTYPES[dtype].itemsize * math.prod(shape):
        raise ValueError(f"tensor `{name}` has {end - begin} bytes, which is not {shape} of {dtype}")
    return Tensor(name, dtype, shape, start + begin, end - begin)


def write_float32(path: Path, shapes: Mapping[str, tuple[int, ...]], pieces: Iterable[np.ndarray[Any, Any]]) -> Written:
    """Write float32 tensors in the order of `shapes`, hashed on the way.

    `pieces` are their values, in order, cut anywhere; one must stay as it is until the next is there.
    """
    header = make_header(shapes)
    expected = len(header) + sum(4 * math.prod(shape) for shape in shapes.values())
    with path.open("wb", buffering=0) as file, Hasher() as hasher:
        start_writeback = make_starter(file)
        hasher.update(memoryview(header))
        write_all(file, memoryview(header))
        written, started = len(header), 0
        for piece in pieces:
            flat = np.ascontiguousarray(piece, DTYPES["F32"]).reshape(-1)
            hasher.update(flat.view(np.uint8).data)
            write_all(file, flat.view(np.uint8).data)
            written += flat.nbytes
            if written - started >= STRIDE:
                start_writeback(started, written)
                started = written
        if written != expected:
            raise ValueError(f"{path}: wrote {written} bytes where the header says {expected}")
        return Written(hasher.hexdigest(), written, os.fstat(file.fileno()).st_mtime_ns)


def write_all(file: FileIO, data: memoryview) -> None:
    """Write every byte; an unbuffered file may take fewer at a time."""
    while data:
        data = data[file.write(data) :]


def make_header(shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """The first bytes of a safetensors file that holds float32 tensors of these shapes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        end = offset + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    padded = text.ljust(-(-(8 + len(text)) // ALIGNMENT) * ALIGNMENT - 8)
    return len(padded).to_bytes(8, "little") + padded
