"""Writes and reads the file of a prompt cache.

It is a safetensors file of four tensors: `package` (32 bytes, the digest of the package), `tokens` (L), `past`, the
keys and values of each layer in turn, (2 N, 1, H, L, D), and `sha256`, the digest of the other three. Nothing in it is
executed.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from gpt2forge.checkpoint.safetensors import Tensor, read_header
from gpt2forge.digest import digest_bytes, digest_file
from gpt2forge.errors import UserError
from gpt2forge.graph.model_file import GRAPH_FILE
from gpt2forge.regular_file import open_binary
from gpt2forge.runtime.feeds import CacheShape
from gpt2forge.runtime.step import Array

TYPES = {np.dtype(np.float32): "F32", np.dtype(np.float16): "F16", np.dtype(np.int8): "I8"}
NAMES = ("package", "tokens", "past", "sha256")
MADE_BY, WEIGHTS = "forge.json", "model.onnx_data"


def digest_package(folder: Path) -> str:
    """Return a digest that packages of other weights, or with another graph, do not have.

    forge.json names the weights by their digests; without it, the weights themselves are read.
    """
    weights = MADE_BY if (folder / MADE_BY).is_file() else WEIGHTS
    return digest_bytes("".join(digest_file(folder / name) for name in (GRAPH_FILE, weights)).encode())


def write_prompt_cache(path: Path, package: str, tokens: Sequence[int], past: Sequence[Array]) -> None:
    """Write the file; whoever reads it meanwhile finds the earlier one."""
    parts: list[Array] = [np.frombuffer(bytes.fromhex(package), np.uint8), np.array(tokens, np.int64), *past]
    parts.append(np.frombuffer(digest_parts(parts), np.uint8))
    header, offset = dict[str, object](), 0
    for name, (kind, shape, size) in list_sizes(len(tokens), (len(past), *past[0].shape), past[0].dtype):
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for part in parts:
                file.write(np.ascontiguousarray(part).data)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def read_prompt_cache(
    path: Path, package: str, shape: CacheShape, context: int, vocabulary: int
) -> tuple[list[int], list[Array]]:
    """Return the tokens, and the keys and values, of the file.

    Raises UserError if it is damaged, or if another package wrote it.
    """
    header = read_header(path)
    if (count := check_header(header, shape, context)) is None:
        raise UserError(f"{path}: is no prompt cache of this model; name another file, or remove it")
    with open_binary(path) as file:
        written_by, tokens, kept, digest = (read_tensor(file.fileno(), header[name]) for name in NAMES)
    if written_by.hex() != package:
        raise UserError(f"{path}: was written with another model; name another file, or remove it")
    found = np.frombuffer(tokens, np.int64)
    if not ((found >= 0) & (found < vocabulary)).all():
        raise UserError(f"{path}: holds tokens that this model does not have; remove the file")
    if digest_parts([written_by, tokens, kept]) != digest:
        raise UserError(f"{path}: is damaged; remove the file")
    arrays = np.frombuffer(kept, shape.dtype).reshape(2 * shape.layers, 1, shape.heads, count, shape.width)
    return found.tolist(), list(arrays)


def check_header(header: dict[str, Tensor], shape: CacheShape, context: int) -> int | None:
    """Return the number of tokens, None unless the tensors are those of a cache of this shape."""
    if header.keys() != set(NAMES) or len(header["tokens"].shape) != 1:
        return None
    (count,) = header["tokens"].shape
    past = (2 * shape.layers, 1, shape.heads, count, shape.width)
    sizes = dict(list_sizes(count, past, np.dtype(shape.dtype)))
    is_right = all((each.dtype, each.shape, each.nbytes) == sizes[name] for name, each in header.items())
    return count if is_right and 0 < count <= context else None


def list_sizes(
    count: int, past: tuple[int, ...], dtype: np.dtype[np.generic]
) -> Iterator[tuple[str, tuple[str, tuple[int, ...], int]]]:
    """Yield each tensor's type, shape and bytes."""
    yield "package", ("U8", (32,), 32)
    yield "tokens", ("I64", (count,), 8 * count)
    yield "past", (TYPES[dtype], past, int(np.prod(past)) * dtype.itemsize)
    yield "sha256", ("U8", (32,), 32)


def digest_parts(parts: Iterable[Array | bytes]) -> bytes:
    """Return the sha256 of parts behind each other."""
    algorithm = sha256()
    for part in parts:
        algorithm.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
    return algorithm.digest()


def read_tensor(file: int, tensor: Tensor) -> bytes:
    """Return the bytes of a tensor. Raises UserError if the file ends before."""
    data = os.pread(file, tensor.nbytes, tensor.offset)
    if len(data) != tensor.nbytes:
        raise UserError(f"the prompt cache ends within `{tensor.name}`; remove the file")
    return data
