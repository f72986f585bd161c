"""Reads files that `torch.save` wrote: values as they are, tensors as places in the file. No weights are read.

1. A pickle can call any function, so only PyTorch's own unpickler for weights opens one. It knows tensors and plain
   values, and stops at anything else (`weights_only=True`).
2. The tensors are made on the device `meta`, where they take no memory; PyTorch notes where each storage lies.
3. A file is a zip archive with a record for each storage. Before PyTorch 1.6 it was a sequence of pickles: a magic
   number, a version, the system, the value, the keys of the storages; then, for each key, 8 bytes that count the values
   of the storage, and the values.

https://docs.pytorch.org/docs/stable/notes/serialization.html describes both.
"""

import mmap
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.derive_tensors import map_values
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError
from gpt2forge.regular_file import open_regular

if TYPE_CHECKING:
    import torch

ZIP_MAGIC = b"PK\x03\x04"
ZIP_HEADER = 30  # bytes before the name; the last 4 are the lengths of the name and of the extra field
OLD_MAGIC = 0x1950A86A20F9469CFC6C
OLD_VERSION = 1001
COUNT = 8  # bytes
MOST_REPEATED = 1 << 20  # bytes of a tensor with a stride of 0, which could claim any size
REFUSED = re.compile(r"GLOBAL ([\w.]+)", re.ASCII)
DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64", "uint8": "U8", "bool": "BOOL"}
"""The names of types in a checkpoint, by PyTorch's; others keep PyTorch's name."""

Sizes = Mapping[int, int]
"""The sizes of storages in bytes, by their offsets in the file."""


@dataclass(frozen=True)
class PyTorchFile:
    """The value in a file, with tensors on the device `meta`, and the storages in the file."""

    path: Path
    value: Any
    sizes: Sizes

    def list_tensors(self, values: Mapping[Any, Any]) -> dict[str, SourceTensor]:
        """Return the tensors of a mapping in the file by their names.

        Raises UserError if it holds anything else, or if a tensor does not lie in the file.
        """
        named: dict[str, SourceTensor] = {}
        used: set[int] = set()
        for name, value in values.items():
            try:
                named[str(name)] = make_source(str(name), value, self, used)
            except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
                shown = quote_untrusted(name)
                raise UserError(f"{self.path}: {shown} is no tensor that can be read: {shorten(error)}") from error
        return named


def load_pytorch(path: Path) -> PyTorchFile:
    """Load a file without its weights.

    Raises UserError if it is damaged, if it holds more than tensors and plain values, or if PyTorch is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{path}: is read with PyTorch, which is not installed: pip install 'gpt2forge[torch]'"
        ) from error
    try:
        with os.fdopen(open_regular(path), "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            is_archive = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
            file.seek(0)
            value, sizes = load_archive(file) if is_archive else load_mapped(file)
    except Exception as error:  # an unpickler raises anything when a file is damaged
        raise UserError(f"{path}: {explain(error)}") from error
    return PyTorchFile(path, value, sizes)


def load_archive(file: BinaryIO) -> tuple[Any, Sizes]:
    """Load a file as PyTorch writes it since 1.6. Raises an error of any type if it is damaged."""
    import torch

    with ZipFile(file) as archive:
        records = archive.infolist()
    check_records(records, os.fstat(file.fileno()).st_size)
    sizes = {}
    for record in (each for each in records if "/data/" in each.filename):
        file.seek(record.header_offset)
        lengths = file.read(ZIP_HEADER)[-4:]
        skipped = int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        sizes[record.header_offset + ZIP_HEADER + skipped] = record.file_size
    file.seek(0)
    return torch.load(file, map_location="meta", weights_only=True), sizes


def check_records(records: Iterable[ZipInfo], size: int) -> None:
    """Raise ValueError unless all records lie in a file of this size as they are: PyTorch takes what they claim."""
    for record in records:
        if record.compress_type != ZIP_STORED:
            raise ValueError("its records are compressed; unpack it, or save it again")
        if record.file_size > size:
            raise ValueError("a record in it claims to be longer than the file")


def load_mapped(file: BinaryIO) -> tuple[Any, Sizes]:
    """Load a file as PyTorch wrote it before 1.6. Raises an error of any type if it is damaged.

    Pickles say how long a text in them is, and a file would allocate as much before it reads; a mapped one does not.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return load_old(data)


def load_old(file: mmap.mmap) -> tuple[Any, Sizes]:
    """Load the pickles and the places of the storages behind them."""
    from torch import _weights_only_unpickler, storage

    unpickler: Any = _weights_only_unpickler
    make_bytes: Any = storage.UntypedStorage
    make_typed: Any = storage.TypedStorage
    if (unpickler.load(file), unpickler.load(file)) != (OLD_MAGIC, OLD_VERSION):
        raise ValueError("it does not begin as PyTorch's files do")
    if unpickler.load(file)["little_endian"] is not True:
        raise ValueError("its values are big-endian")
    storages: dict[str, Any] = {}

    def add_storage(saved: tuple[Any, ...]) -> Any:
        _, kind, key, _, count, view = saved
        if view is not None:
            raise ValueError("a storage in it is a part of another one")
        if key not in storages:
            values = make_bytes(count * kind.dtype.itemsize, device="meta")
            storages[key] = make_typed(wrap_storage=values, dtype=kind.dtype, _internal=True)
        return storages[key]

    reader = unpickler.Unpickler(file, encoding="utf-8")
    reader.persistent_load = add_storage
    value = reader.load()
    keys = unpickler.load(file)
    return value, place_storages(file, keys, file.tell(), storages)


def place_storages(file: mmap.mmap, keys: list[str], offset: int, storages: Mapping[str, Any]) -> Sizes:
    """Note in each storage where it lies; `offset` is where the first one begins.

    Raises ValueError if one is not there.
    """
    sizes = {}
    for key in keys:
        storage = storages[key].untyped()
        size, width = storage.nbytes(), storages[key].dtype.itemsize
        file.seek(offset)  # raises ValueError beyond the end
        if int.from_bytes(file.read(COUNT), "little") != size // width:
            raise ValueError("a storage is not where it should be")
        storage._checkpoint_offset = offset + COUNT
        sizes[offset + COUNT] = size
        offset += COUNT + size
    return sizes


def make_source(name: str, tensor: "torch.Tensor", file: PyTorchFile, used: set[int]) -> SourceTensor:
    """Return a tensor as one of a checkpoint; `used` are the offsets of storages that other tensors have as a whole.

    Raises ValueError if it does not lie in the file; an error of another type if it is no dense tensor.
    """
    storage = tensor.untyped_storage()
    start, width = storage._checkpoint_offset, tensor.dtype.itemsize
    if start is None or file.sizes.get(start) != storage.nbytes():
        raise ValueError("its storage is not in the file; is the download complete?")
    strides = tuple(width * step for step in tensor.stride())
    last = sum((count - 1) * step for count, step in zip(tensor.shape, strides, strict=True))
    offset = start + width * int(tensor.storage_offset())
    if tensor.numel() == 0 or offset + last + width > start + storage.nbytes():
        raise ValueError("it is empty or larger than its storage")
    if width * tensor.numel() > max(storage.nbytes(), MOST_REPEATED):
        raise ValueError("it repeats the values of its storage more often than any model does")
    dtype = str(tensor.dtype).removeprefix("torch.")
    source = SourceTensor(
        name,
        DTYPES.get(dtype, dtype),
        shape=tuple(tensor.shape),
        path=file.path,
        offset=offset,
        nbytes=width * tensor.numel(),
    )
    if tensor.is_contiguous() and start not in used:
        used.add(start)
        return source
    return replace(source, make=partial(map_values, file.path, source.dtype, source.shape, offset, strides))


def explain(error: Exception) -> str:
    """Say in one line why a file could not be loaded."""
    refused = REFUSED.search(str(error))
    if refused:
        return (
            f"its pickle names {quote_untrusted(refused[1])}, which is neither a tensor nor a plain value, so nothing "
            "of it was run; save the weights alone: `torch.save(model.state_dict(), path)`"
        )
    return f"not a file that `torch.save` wrote, or damaged: {shorten(error)}; copy it there again"


def shorten(error: Exception) -> str:
    """Return the first line of an error's message; PyTorch's have many."""
    lines = str(error).strip().splitlines()
    return quote_untrusted(lines[0] if lines else type(error).__name__)
