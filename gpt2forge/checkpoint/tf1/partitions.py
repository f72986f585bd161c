"""Puts a tensor together that TensorFlow saved in partitions (tf.compat.v1.fixed_size_partitioner and its like).

A partitioner cuts one axis. The partitions, in the order of that axis, must cover it without holes.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import google_crc32c

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.derive_tensors import list_values
from gpt2forge.checkpoint.safetensors import ITEM_SIZES
from gpt2forge.checkpoint.tf1.bundle_index import WHOLE, BundleEntry, Slice, decode_key
from gpt2forge.checkpoint.tf1.slice_key import encode_slice
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError


@dataclass(frozen=True)
class Partitions:
    """The partitions of a tensor in order, each with its own shape, and the axis that they cut."""

    axis: int
    entries: tuple[BundleEntry, ...]


def is_partition(name: str) -> bool:
    """Return whether a name in an index is the key of a partition."""
    return name.startswith("\0")


def list_keys(name: str, entry: BundleEntry) -> Iterator[str]:
    """Yield the names in the index of a tensor's partitions."""
    yield from (decode_key(encode_slice(name, extents)) for extents in entry.slices)


def find_partitions(index: Path, name: str, entries: Mapping[str, BundleEntry]) -> Partitions:
    """Find the partitions of a tensor. Raises UserError unless they cover it once and have its type."""
    entry = entries[name]
    try:
        cuts = {
            fill(extents, entry.shape): key for extents, key in zip(entry.slices, list_keys(name, entry), strict=True)
        }
        axis = find_axis(list(cuts), entry.shape)
        check_cover([extents[axis] for extents in sorted(cuts)], entry.shape[axis])
        return Partitions(
            axis, tuple(find_part(extents, cuts[extents], entry.dtype, entries) for extents in sorted(cuts))
        )
    except ValueError as error:
        raise UserError(
            f"{index}: {quote_untrusted(name)} was saved in partitions, but {error}; save it again"
        ) from error


def fill(extents: Slice, shape: tuple[int, ...]) -> Slice:
    """Return a partition's extents with a length in place of WHOLE. Raises ValueError for another number of axes."""
    if len(extents) != len(shape) or not shape:
        raise ValueError(f"one has {len(extents)} axes, not {len(shape)}")
    pairs = zip(extents, shape, strict=True)
    return tuple((0, full) if length == WHOLE else (start, length) for (start, length), full in pairs)


def find_axis(cuts: list[Slice], shape: tuple[int, ...]) -> int:
    """Return the one axis that is cut. Raises ValueError if there are several."""
    axes = {axis for extents in cuts for axis, full in enumerate(shape) if extents[axis] != (0, full)}
    if len(axes) > 1:
        raise ValueError(f"along {len(axes)} axes")
    return min(axes, default=0)


def check_cover(extents: list[tuple[int, int]], length: int) -> None:
    """Raise ValueError unless extents in order cover a length once."""
    end = 0
    for start, part in extents:
        if start != end or part < 1:
            raise ValueError(f"none begins at {end}")
        end = start + part
    if end != length:
        raise ValueError(f"they end at {end} of {length}")


def find_part(extents: Slice, key: str, dtype: str, entries: Mapping[str, BundleEntry]) -> BundleEntry:
    """Return the entry of a partition. Raises ValueError if it is missing or has another shape or type."""
    shape = tuple(length for _, length in extents)
    if key not in entries:
        raise ValueError(f"the one of the shape {list(shape)} is missing")
    if (entries[key].shape, entries[key].dtype) != (shape, dtype) or entries[key].slices:
        raise ValueError(f"the one of the shape {list(shape)} has another shape or type")
    return entries[key]


def join_parts(parts: tuple[SourceTensor, ...], axis: int, shape: tuple[int, ...]) -> SourceTensor:
    """Return the tensor that partitions along `axis` make."""
    first = parts[0]
    nbytes = ITEM_SIZES.get(first.dtype, 0) * math.prod(shape)
    make = partial(read_parts, parts, axis, shape)
    return SourceTensor(first.name, first.dtype, shape=shape, path=first.path, offset=0, nbytes=nbytes, make=make)


def reshape(tensor: SourceTensor, shape: tuple[int, ...]) -> SourceTensor:
    """Return a tensor with as many values in another shape."""
    make = tensor.make
    return replace(tensor, shape=shape, make=None if make is None else lambda: make().reshape(shape))


def read_parts(parts: tuple[SourceTensor, ...], axis: int, shape: tuple[int, ...]) -> Any:
    """Read partitions into one float32 array. Raises UserError if one is damaged."""
    import numpy as np

    joined = np.empty(shape, np.float32)
    start = 0
    for part in parts:
        values = list_values(part)()
        if google_crc32c.value(values.view(np.uint8).reshape(-1)) != part.crc:
            raise UserError(f"{part.path}: the checksum of `{part.name}` does not match; copy the file there again")
        end = start + part.shape[axis]
        joined[(slice(None),) * axis + (slice(start, end),)] = values
        start = end
    return joined
