"""Lays out and writes the weights of a package, `model.onnx_data`.

All offsets are known before the first byte is written, so threads write each piece as soon as it is ready. onnx's own
writer of external data is not used, because it appends to an existing file and needs every tensor in memory.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import onnx_ir as ir

from gpt2forge.errors import UserError

DATA_FILE = "model.onnx_data"  # the name that transformers.js looks for beside model.onnx
PAGE = 4096
LINE = 64
LARGE = 1 << 16  # bytes; a tensor of at least this size starts on a page, so that a runtime can map it


@dataclass(frozen=True)
class Region:
    """A part of a file; `offset` and `length` are in bytes."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


class Layout:
    """The layout of `model.onnx_data`: one aligned region after the other."""

    def __init__(self) -> None:
        self.size = 0

    def reserve(self, length: int) -> Region:
        """Return a new region of `length` bytes at the end of the layout."""
        step = PAGE if length >= LARGE else LINE
        region = Region(-(-self.size // step) * step, length)
        self.size = region.end
        return region


class DataFile:
    """A new `model.onnx_data` of a known size, into which any thread can write any piece."""

    def __init__(self, folder: Path, size: int) -> None:
        self.descriptor = os.open(folder / DATA_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.ftruncate(self.descriptor, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)

    def write(self, region: Region, start: int, values: np.ndarray[Any, Any]) -> None:
        """Write an array `start` bytes after the start of its region. Raises ValueError if it does not fit."""
        data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        if start < 0 or start + len(data) > region.length:
            raise ValueError(f"{len(data)} bytes at {start} do not fit into {region}")
        while len(data):
            written = os.pwrite(self.descriptor, data.data, region.offset + start)
            start, data = start + written, data[written:]


def refer(name: str, dtype: ir.DataType, shape: Sequence[int], region: Region) -> ir.Value:
    """Return an initializer whose bytes are a region of `model.onnx_data`."""
    tensor = ir.ExternalTensor(DATA_FILE, region.offset, region.length, dtype, shape=ir.Shape(shape), name=name)
    return ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape(shape), const_value=tensor)


def find_region(tensor: ir.ExternalTensor) -> Region:
    """Return the region of an external initializer in the file that it names."""
    return Region(tensor.offset or 0, tensor.length or 0)


def find_weights(graph: ir.Graph) -> dict[str, ir.ExternalTensor]:
    """Return the initializers whose bytes are in another file, by name, in the graph's order."""
    tensors = {name: value.const_value for name, value in graph.initializers.items()}
    return {name: tensor for name, tensor in tensors.items() if isinstance(tensor, ir.ExternalTensor)}


def map_weight(tensor: ir.ExternalTensor, folder: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Map a float32 weight of a graph artifact from its file in `folder`, without anonymous memory.

    Raises UserError if the file does not hold it.
    """
    location, region, shape = str(tensor.location), find_region(tensor), tensor.shape.numpy()
    path = folder / location
    fits = path.is_file() and Path(location).name == location and 0 < region.end <= path.stat().st_size
    if not fits or tensor.dtype != ir.DataType.FLOAT or region.length != 4 * prod(shape) or not region.length:
        raise UserError(f"{path}: does not hold `{tensor.name}` as {list(shape)} of float32 at {region.offset}")
    return np.memmap(path, "<f4", "r", region.offset, shape)
