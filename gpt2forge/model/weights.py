"""One safetensors file: where each tensor lies, and a writer that holds one piece of a tensor at a time.

The format: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}}, then the data without
holes (https://github.com/huggingface/safetensors#format).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from gpt2forge.errors import UserError

DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}
ALIGNMENT = 4096  # the data starts on a page, so that the first tensors can be mapped
LARGEST_HEADER = 100_000_000  # the limit of the format


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
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            tensors = [locate(name, entry, 8 + length) for name, entry in header.items()]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: not a safetensors file: {error}") from error
    for tensor in tensors:
        if tensor.offset < 8 + length or tensor.offset + tensor.nbytes > size:
            raise UserError(f"{path}: tensor `{tensor.name}` lies outside the file; is the download complete?")
    return {tensor.name: tensor for tensor in sorted(tensors, key=lambda tensor: tensor.offset)}


def locate(name: str, entry: Mapping[str, Any], start: int) -> Tensor:
    """Take one entry of the header; raises ValueError when its numbers do not agree."""
    begin, end = (int(offset) for offset in entry["data_offsets"])
    shape = tuple(int(length) for length in entry["shape"])
    if begin < 0 or end < begin or any(length < 0 for length in shape):
        raise ValueError(f"tensor `{name}` has a negative length")
    dtype = entry["dtype"]
    if dtype in DTYPES and end - begin != DTYPES[dtype].itemsize * int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"tensor `{name}` has {end - begin} bytes, which is not {shape} of {dtype}")
    return Tensor(name, dtype, shape, start + begin, end - begin)


def map_tensor(path: Path, tensor: Tensor) -> np.ndarray[Any, Any]:
    """The tensor as a read-only array backed by the file: its pages are not anonymous memory."""
    if not tensor.nbytes:
        return np.zeros(tensor.shape, DTYPES[tensor.dtype])
    return np.memmap(path, DTYPES[tensor.dtype], "r", tensor.offset, tensor.shape)


def write_float32(path: Path, shapes: Mapping[str, tuple[int, ...]], pieces: Iterable[np.ndarray[Any, Any]]) -> None:
    """Write float32 tensors in the order of `shapes`; `pieces` are their values, in order, cut anywhere."""
    path.write_bytes(make_header(shapes))
    with path.open("ab", buffering=0) as file:
        for piece in pieces:
            file.write(memoryview(np.ascontiguousarray(piece, DTYPES["F32"])).cast("B"))
    expected = len(make_header(shapes)) + sum(4 * int(np.prod(shape, dtype=np.int64)) for shape in shapes.values())
    if path.stat().st_size != expected:
        raise ValueError(f"{path}: wrote {path.stat().st_size} bytes where the header says {expected}")


def make_header(shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """The first bytes of a safetensors file that holds float32 tensors of these shapes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        end = offset + 4 * int(np.prod(shape, dtype=np.int64))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    padded = text.ljust(-(-(8 + len(text)) // ALIGNMENT) * ALIGNMENT - 8)
    return len(padded).to_bytes(8, "little") + padded
