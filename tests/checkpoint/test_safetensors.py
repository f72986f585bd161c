"""The library safetensors reads the files that are written, and a bad header is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from gpt2forge.checkpoint.dtypes import find_dtype
from gpt2forge.checkpoint.safetensors import read_header
from gpt2forge.checkpoint.write_safetensors import ALIGNMENT, write_float32
from gpt2forge.digest import Written, digest_bytes
from gpt2forge.errors import UserError

SHAPES = {"wte.weight": (5, 3), "empty": (0, 4), "scalar": (), "h.0.ln_1.bias": (7,)}


def write(path: Path, cuts: list[int]) -> np.ndarray:
    values = np.arange(23, dtype=np.float32)
    written = write_float32(path, SHAPES, iter(np.split(values, sorted(cuts))))
    assert written == Written(digest_bytes(path.read_bytes()), path.stat().st_size, path.stat().st_mtime_ns)
    return values


@given(st.lists(st.integers(0, 23), max_size=6))
def test_pieces_may_be_cut_anywhere(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    values = write(path, cuts)
    tensors = load_file(path)
    assert {name: tensor.shape for name, tensor in tensors.items()} == SHAPES
    assert np.array_equal(np.concatenate([tensors[name].reshape(-1) for name in SHAPES]), values)


def test_first_tensor_starts_on_a_page(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write(path, [])
    tensors = read_header(path)
    assert tensors["wte.weight"].offset % ALIGNMENT == 0
    assert [tensor.nbytes for tensor in tensors.values()] == [60, 0, 4, 28]


def test_header_and_mapped_values_are_those_that_safetensors_wrote(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    values = {"a": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.ones((0, 2), np.float32)}
    save_file(values, path)
    tensors = read_header(path)
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {"a": "F16", "b": "F32"}
    for name, tensor in tensors.items():
        found = np.fromfile(path, find_dtype(tensor.dtype), values[name].size, offset=tensor.offset)
        assert np.array_equal(found.reshape(tensor.shape), values[name])


def test_too_few_values_are_a_bug_and_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"wrote \d+ bytes, but the header says \d+"):
        write_float32(tmp_path / "x", {"a": (3,)}, [np.zeros(2, np.float32)])


def refusal(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> str:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    with pytest.raises(UserError) as error:
        read_header(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def entry(shape: Any, begin: Any, end: Any, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        {"a": 1},
        {"a": {}},
        {"a": entry([1], 0, 4.0)},
        {"a": entry([1.0], 0, 4)},
        {"a": entry(["1"], 0, 4)},
        {"a": entry([-1], 0, 4)},
        {"a": entry([1], 4, 0)},
        {"a": entry([1], -4, 0)},
        {"a": entry([1] * 100, 0, 4)},
        {"a": entry([1], 0, 4, [])},
        {"a": entry([1], 0, 8)},
        {"a": entry([1 << 62, 4], 0, 0)},
        {"a": entry([1], 0, float("inf"))},
        {"a\nb": entry([1], 0, 8)},
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "a": 1}',
    ],
)
def test_bad_header_is_refused(tmp_path: Path, header: Any) -> None:
    path = tmp_path / "x"
    assert refusal(path, header, bytes(8)).startswith(f"{path}: not a safetensors file: ")


@pytest.mark.parametrize("length", [100, 1 << 40, (1 << 64) - 1])
def test_header_that_claims_too_much_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x"
    assert refusal(path, {}, length=length) == f"{path}: not a safetensors file: the header does not fit into it"


def test_tensor_outside_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert refusal(path, {"a": entry([1 << 40], 0, 1 << 42)}) == (
        f"{path}: tensor `a` lies outside the file; is the download complete?"
    )
