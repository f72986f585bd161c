"""Derives tensors of a model from those of a file where they differ in layout: transposed, cut, absent."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.dtypes import find_dtype
from gpt2forge.checkpoint.safetensors import ITEM_SIZES
from gpt2forge.errors import UserError


def transpose(tensor: SourceTensor) -> SourceTensor:
    """Return a tensor with its axes in reverse order."""
    return replace(tensor, shape=tensor.shape[::-1], make=partial(transpose_values, list_values(tensor)))


def transpose_values(make: Callable[[], Any]) -> Any:
    return make().T


def cut_rows(tensor: SourceTensor, rows: int) -> SourceTensor:
    """Return the first rows of a tensor, all of them if it has no more."""
    if not tensor.shape or rows >= tensor.shape[0]:
        return tensor
    make = None if tensor.make is None else partial(cut_values, tensor.make, rows)
    nbytes = tensor.nbytes // tensor.shape[0] * rows
    return replace(tensor, shape=(rows, *tensor.shape[1:]), nbytes=nbytes, make=make)


def cut_values(make: Callable[[], Any], rows: int) -> Any:
    return make()[:rows]


def make_zeros(name: str, count: int, path: Path) -> SourceTensor:
    """Return a vector of zeros, for a model that has no such tensor; `path` is the file of the model."""
    nbytes = ITEM_SIZES["F32"] * count
    return SourceTensor(
        name, "F32", shape=(count,), path=path, offset=0, nbytes=nbytes, make=partial(list_zeros, count)
    )


def list_zeros(count: int) -> Any:
    import numpy as np

    return np.zeros(count, np.float32)


def list_values(tensor: SourceTensor) -> Callable[[], Any]:
    """Return the function that makes a tensor's values, or maps them where they lie in the file as they are."""
    return tensor.make or partial(map_values, tensor.path, tensor.dtype, tensor.shape, tensor.offset)


def map_values(
    path: Path, dtype: str, shape: tuple[int, ...], offset: int, strides: tuple[int, ...] | None = None
) -> Any:
    """Map values of a file as an array; `strides` are in bytes. Raises UserError if the file has become shorter."""
    import numpy as np

    try:
        return np.ndarray(shape, find_dtype(dtype), np.memmap(path, np.uint8, "r"), offset, strides)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: has become shorter: {error}") from error
