"""The contents of a checkpoint: the model's configuration, and where each tensor lies. No weights are read."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.config import ModelConfig
from gpt2forge.checkpoint.safetensors import ITEM_SIZES
from gpt2forge.checkpoint.token_ids import Named
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError


@dataclass(frozen=True)
class SourceTensor:
    """A tensor of a checkpoint: its contiguous little-endian bytes in a file, or a function that makes its values.

    `name` is the tensor's name in the weights artifact. `dtype` is a key of ITEM_SIZES. `offset` and `nbytes` are in
    bytes. `crc` is the crc32c of the bytes, None if the format stores no checksum.

    `make` returns the values as a numpy array of `shape`, in memory or mapped, where the file does not hold them in
    this order: transposed, compressed, merged. The bytes are not read then; `nbytes` is the size of the values in
    `dtype`. `make` is called once for each reading, and raises UserError if the file is damaged.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    offset: int
    nbytes: int
    crc: int | None = None
    make: Callable[[], Any] | None = field(default=None, compare=False)

    @property
    def count(self) -> int:
        """The number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class LeftOut:
    """A tensor of the checkpoint that is not part of the model: an optimizer's, a counter, a buffer."""

    name: str
    dtype: str
    nbytes: int


@dataclass(frozen=True)
class Contents:
    """The contents of a checkpoint; `tensors` are the model's, in the order of the weights artifact.

    `step` is the training step, None if the checkpoint does not record it. `named` are the tokens that the files name
    for the beginning, the end and the padding of a text; without any, those of `config` count. `notes` say what a user
    should know about the conversion, a sentence each, without the path of the checkpoint.
    """

    config: ModelConfig
    tensors: tuple[SourceTensor, ...]
    left_out: tuple[LeftOut, ...]
    step: int | None = None
    named: tuple[Named, ...] = ()
    notes: tuple[str, ...] = ()


def check_tensor(tensor: SourceTensor, *, shape: tuple[int, ...], config: Path, index: Path, name: str) -> None:
    """Raise UserError unless a tensor has this shape, a supported type, and lies inside its file.

    `config` is the file that implies the shape; `name` is the tensor's name in the file `index`.
    """
    where = f"{index}: {quote_untrusted(name)}"
    if tensor.shape != shape:
        raise UserError(
            f"{where} has the shape {list(tensor.shape)}, but by {config.name} it must be {list(shape)}; "
            f"is {config} the one of this checkpoint?"
        )
    if tensor.dtype not in ITEM_SIZES:
        known = "`, `".join(ITEM_SIZES)
        raise UserError(f"{where} is of type {quote_untrusted(tensor.dtype)}; only `{known}` can be read")
    if tensor.nbytes != ITEM_SIZES[tensor.dtype] * math.prod(shape):
        raise UserError(f"{where} has {tensor.nbytes} bytes, which is not {list(shape)} of {tensor.dtype}")
    if tensor.make is not None:
        return
    size, end = tensor.path.stat().st_size, tensor.offset + tensor.nbytes
    if tensor.offset < 0 or end > size:
        raise UserError(
            f"{tensor.path}: has {size} bytes, but {quote_untrusted(name)} lies at {tensor.offset} to {end}; "
            "is the download complete?"
        )


def check_apart(tensors: tuple[SourceTensor, ...]) -> None:
    """Raise UserError if two tensors share bytes of a file."""
    stored = (tensor for tensor in tensors if tensor.make is None)
    ordered = sorted(stored, key=lambda tensor: (tensor.path, tensor.offset, tensor.nbytes))
    for one, other in itertools.pairwise(ordered):
        if one.path == other.path and one.offset + one.nbytes > other.offset:
            raise UserError(f"{one.path}: `{one.name}` and `{other.name}` overlap; the index is damaged, copy it again")
