"""Checks a finished package by reading it back.

1. Every weight is inside `model.onnx_data`, with the length that its shape and type imply.
2. No two weights overlap, unless their regions are equal.
3. No two regions of at least SMALL bytes hold the same values. Exceptions are weights of one repeated value (gains of
   1, a table of zeros) and weights that are equal in the checkpoint (equal layers).
4. No weight that was to be quantized is still float32.
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

SMALL = 4096  # bytes; repeating fewer wastes nothing
SAMPLE = 4096  # bytes at each end, which usually tell different weights apart


@dataclass(frozen=True)
class PlacedWeight:
    """The name, region and type of a weight in `model.onnx_data`."""

    name: str
    region: Region
    dtype: ir.DataType


def audit_package(folder: Path, scheme: Scheme, sources: Mapping[str, ir.ExternalTensor], weights: Path) -> None:
    """Check a package by rules 1 to 4. Raises UserError that names the first weight that breaks one.

    `sources` are the float32 weights of the package by name; their files are in the folder `weights`.
    """
    tensors = find_weights(read_graph(folder).graph)
    size = (folder / DATA_FILE).stat().st_size
    for name, tensor in tensors.items():
        check_place(folder, name, tensor, size)
    placed = [PlacedWeight(name, find_region(tensor), tensor.dtype) for name, tensor in tensors.items()]
    check_overlap(folder, placed)
    check_repetition(folder, placed, lambda one, other: are_equal(one, other, sources, weights))
    for weight in placed:
        check_quantized(folder, weight, scheme)


def check_place(folder: Path, name: str, tensor: ir.ExternalTensor, size: int) -> None:
    """Raise UserError if a weight breaks rule 1."""
    region, location = find_region(tensor), str(tensor.location)
    if location != DATA_FILE or region.length != tensor.nbytes or region.end > size:
        wrong = f"`{name}` has {tensor.nbytes} bytes, and `{location}` does not hold them at byte {region.offset}"
        raise UserError(f"{folder / GRAPH_FILE}: {wrong}")


def check_overlap(folder: Path, placed: list[PlacedWeight]) -> None:
    """Raise UserError if two weights break rule 2."""
    ordered = sorted(placed, key=lambda weight: (weight.region.offset, weight.region.end))
    for first, second in pairwise(ordered):
        if second.region.offset < first.region.end and second.region != first.region:
            raise UserError(f"{folder / DATA_FILE}: `{first.name}` and `{second.name}` overlap")


def check_repetition(
    folder: Path, placed: list[PlacedWeight], may_repeat: Callable[[PlacedWeight, PlacedWeight], bool]
) -> None:
    """Raise UserError if two weights break rule 3; `may_repeat` decides whether two may be equal."""
    data = np.memmap(folder / DATA_FILE, np.uint8, "r")
    seen: dict[tuple[int, bytes, bytes], list[PlacedWeight]] = {}
    for weight in {weight.region: weight for weight in placed if weight.region.length >= SMALL}.values():
        values = view(data, weight)
        alike = seen.setdefault((len(values), values[:SAMPLE].tobytes(), values[-SAMPLE:].tobytes()), [])
        for earlier in alike:
            same = np.array_equal(view(data, earlier), values) and varies(values.view(weight.dtype.numpy()))
            if same and not may_repeat(earlier, weight):
                twice = f"`{earlier.name}` and `{weight.name}` hold the same bytes"
                raise UserError(f"{folder / DATA_FILE}: {twice}, which the checkpoint does not hold twice")
        alike.append(weight)


def view(data: np.ndarray[Any, Any], weight: PlacedWeight) -> np.ndarray[Any, Any]:
    return data[weight.region.offset : weight.region.end]


def varies(values: np.ndarray[Any, Any]) -> bool:
    return bool((values != values[0]).any())


def are_equal(one: PlacedWeight, other: PlacedWeight, sources: Mapping[str, ir.ExternalTensor], weights: Path) -> bool:
    """Return whether two weights come from two different weights of the checkpoint with equal values."""
    first, second = (find_source(placed.name, sources) for placed in (one, other))
    if first is None or second is None or find_region(first) == find_region(second):
        return False
    return np.array_equal(map_weight(first, weights), map_weight(second, weights))


def find_source(name: str, sources: Mapping[str, ir.ExternalTensor]) -> ir.ExternalTensor | None:
    """Return the source of this name, or of its part before the last dot, as in `wte.weight.scales`."""
    return sources.get(name) or sources.get(name.rpartition(".")[0])


def check_quantized(folder: Path, weight: PlacedWeight, scheme: Scheme) -> None:
    """Raise UserError if a weight breaks rule 4."""
    linear = LINEAR.fullmatch(weight.name)
    wanted = (
        scheme.is_half
        or (linear and scheme.choose(linear[1]))
        or (scheme.table and weight.name in TABLES)
        or (scheme.positions and weight.name == POSITIONS)
    )
    if wanted and weight.dtype == ir.DataType.FLOAT:
        raise UserError(f"{folder / GRAPH_FILE}: `{weight.name}` was to be quantized and is still float32")
