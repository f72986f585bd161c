"""Reads a finished package back and says what is wrong with it.

1. Every weight lies inside `model.onnx_data`, with the length that its shape and type ask for.
2. No two weights overlap, unless they lie at the very same place.
3. No bytes are stored twice: two places of at least SMALL bytes that hold the same values. Weights whose values are
   all the same (gains of one, a table of zeros) may, and those that the checkpoint itself holds twice (layers that are
   equal).
4. Nothing is left float32 that was to be quantized.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from gpt2forge.errors import UserError
from gpt2forge.graph.model_file import GRAPH_FILE, read_graph
from gpt2forge.quantize.data_file import DATA_FILE, Region, find_region, find_weights, map_weight
from gpt2forge.quantize.embeddings import POSITIONS, TABLES
from gpt2forge.quantize.linear import LINEAR
from gpt2forge.quantize.scheme import Scheme

SMALL = 4096  # bytes; below this, repetition is no waste
GLANCE = 4096  # bytes at each end that tell different weights apart


@dataclass(frozen=True)
class Stored:
    """A weight and its place in `model.onnx_data`."""

    name: str
    region: Region
    dtype: ir.DataType


def audit_package(folder: Path, scheme: Scheme, sources: Mapping[str, ir.ExternalTensor], weights: Path) -> None:
    """Check a package by rules 1 to 4; raises UserError that names the first weight that breaks one.

    `sources` are the float32 weights that it was made from, by name, which lie in the folder `weights`.
    """
    tensors = find_weights(read_graph(folder).graph)
    size = (folder / DATA_FILE).stat().st_size
    for name, tensor in tensors.items():
        check_place(folder, name, tensor, size)
    stored = [Stored(name, find_region(tensor), tensor.dtype) for name, tensor in tensors.items()]
    check_overlap(folder, stored)
    check_repetition(folder, stored, lambda one, other: are_equal(one, other, sources, weights))
    for weight in stored:
        check_quantized(folder, weight, scheme)


def check_place(folder: Path, name: str, tensor: ir.ExternalTensor, size: int) -> None:
    """Rule 1."""
    region, location = find_region(tensor), str(tensor.location)
    if location != DATA_FILE or region.length != tensor.nbytes or region.end > size:
        wrong = f"`{name}` is {tensor.nbytes} bytes, and `{location}` does not hold them at {region.offset}"
        raise UserError(f"{folder / GRAPH_FILE}: {wrong}")


def check_overlap(folder: Path, stored: list[Stored]) -> None:
    """Rule 2."""
    ordered = sorted(stored, key=lambda weight: (weight.region.offset, weight.region.end))
    for first, second in pairwise(ordered):
        if second.region.offset < first.region.end and second.region != first.region:
            raise UserError(f"{folder / DATA_FILE}: `{first.name}` and `{second.name}` overlap")


def check_repetition(folder: Path, stored: list[Stored], may_repeat: Callable[[Stored, Stored], bool]) -> None:
    """Rule 3."""
    data = np.memmap(folder / DATA_FILE, np.uint8, "r")
    seen: dict[tuple[int, bytes, bytes], list[Stored]] = {}
    for weight in {weight.region: weight for weight in stored if weight.region.length >= SMALL}.values():
        values = view(data, weight)
        alike = seen.setdefault((len(values), values[:GLANCE].tobytes(), values[-GLANCE:].tobytes()), [])
        for earlier in alike:
            same = np.array_equal(view(data, earlier), values) and varies(values.view(weight.dtype.numpy()))
            if same and not may_repeat(earlier, weight):
                twice = f"`{earlier.name}` and `{weight.name}` hold the same bytes"
                raise UserError(f"{folder / DATA_FILE}: {twice}, which the checkpoint does not hold twice")
        alike.append(weight)


def view(data: np.ndarray[Any, Any], weight: Stored) -> np.ndarray[Any, Any]:
    return data[weight.region.offset : weight.region.end]


def varies(values: np.ndarray[Any, Any]) -> bool:
    return bool((values != values[0]).any())


def are_equal(one: Stored, other: Stored, sources: Mapping[str, ir.ExternalTensor], weights: Path) -> bool:
    """Whether two stored weights come from two of the checkpoint that hold the same values."""
    first, second = (find_source(stored.name, sources) for stored in (one, other))
    if first is None or second is None or find_region(first) == find_region(second):
        return False
    return np.array_equal(map_weight(first, weights), map_weight(second, weights))


def find_source(name: str, sources: Mapping[str, ir.ExternalTensor]) -> ir.ExternalTensor | None:
    """The weight that `name` was made from: itself, or what stands before the last dot, as in `wte.weight.scales`."""
    return sources.get(name) or sources.get(name.rpartition(".")[0])


def check_quantized(folder: Path, weight: Stored, scheme: Scheme) -> None:
    """Rule 4."""
    linear = LINEAR.fullmatch(weight.name)
    wanted = (
        scheme.is_half
        or (linear and scheme.choose(linear[1]))
        or (scheme.table and weight.name in TABLES)
        or (scheme.positions and weight.name == POSITIONS)
    )
    if wanted and weight.dtype == ir.DataType.FLOAT:
        raise UserError(f"{folder / GRAPH_FILE}: `{weight.name}` was to be quantized and is still float32")
