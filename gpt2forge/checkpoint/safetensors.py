"""Reads the header of a safetensors file: where each tensor lies. `write_safetensors` writes such a file.

The format: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}}, then the data
without holes (https://github.com/huggingface/safetensors#format).
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError
from gpt2forge.regular_file import open_regular

ITEM_SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8}  # bytes of a value, for each type that can be read
LARGEST_RANK = 64  # numpy's
LARGEST_HEADER = 1 << 24  # bytes; 1558M takes a hundredth of it


@dataclass(frozen=True)
class Tensor:
    """The position of a tensor: `offset` from the start of the file and `nbytes`, both in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


def read_header(path: Path) -> dict[str, Tensor]:
    """Return the position of every tensor by its name, in file order, without reading the data.

    Raises UserError if the header does not describe this file.
    """
    size = path.stat().st_size
    with os.fdopen(open_regular(path), "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, LARGEST_HEADER):
            raise UserError(f"{path}: not a safetensors file: the header does not fit into it")
        try:
            header = json.loads(file.read(length), object_pairs_hook=refuse_duplicates)
            header.pop("__metadata__", None)
            tensors = [parse_entry(name, entry, 8 + length) for name, entry in header.items()]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{path}: not a safetensors file: {error!r}") from error
    tensors.sort(key=lambda tensor: (tensor.offset, tensor.nbytes))
    for tensor in tensors:
        if tensor.offset < 8 + length or tensor.offset + tensor.nbytes > size:
            where = f"{path}: tensor {quote_untrusted(tensor.name)}"
            raise UserError(f"{where} lies outside the file; is the download complete?")
    return {tensor.name: tensor for tensor in tensors}


def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of a header. The format forbids duplicate names, because readers disagree on which one counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def parse_entry(name: str, entry: Mapping[str, Any], start: int) -> Tensor:
    """Parse one entry of the header; `start` is where the data begins. Raises ValueError if its numbers disagree."""
    begin, end = entry["data_offsets"]
    shape, dtype = tuple(entry["shape"]), entry["dtype"]
    if any(type(number) is not int or number < 0 for number in (begin, end, *shape)) or end < begin:
        raise ValueError(f"tensor `{name}` has an invalid length")
    if len(shape) > LARGEST_RANK or not isinstance(dtype, str):
        raise ValueError(f"tensor `{name}` has no valid shape and type")
    if dtype in ITEM_SIZES and end - begin != ITEM_SIZES[dtype] * math.prod(shape):
        raise ValueError(f"tensor `{name}` has {end - begin} bytes, which is not {shape} of {dtype}")
    return Tensor(name, dtype, shape, offset=start + begin, nbytes=end - begin)
