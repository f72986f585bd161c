"""Reading a tensor in pieces yields every value once, in order, checked."""

from pathlib import Path

import google_crc32c
import numpy as np
import pytest

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.dtypes import find_dtype
from gpt2forge.checkpoint.read_tensors import PIECE, hold_same_values, read_pieces
from gpt2forge.checkpoint.safetensors import ITEM_SIZES
from gpt2forge.errors import UserError


def store(path: Path, values: np.ndarray, dtype: str, before: int = 3) -> SourceTensor:
    path.write_bytes(b"x" * before + values.tobytes() + b"y")
    crc = google_crc32c.value(values.tobytes())
    return SourceTensor("wte", dtype, values.shape, path, before, values.nbytes, crc)


def test_sizes_of_types_are_those_of_numpy() -> None:
    assert {name: find_dtype(name).itemsize for name in ITEM_SIZES} == ITEM_SIZES


@pytest.mark.parametrize("count", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 5])
@pytest.mark.parametrize(("dtype", "kind"), [("F32", np.float32), ("F16", np.float16)])
def test_pieces_are_all_values_in_order(tmp_path: Path, count: int, dtype: str, kind: type) -> None:
    values = (np.arange(count) % 1000).astype(kind)
    tensor = store(tmp_path / "x", values, dtype)
    pieces = [piece.copy() for piece in read_pieces(tensor)]
    assert all(0 < piece.size <= PIECE and piece.dtype == np.float32 for piece in pieces)
    assert np.array_equal(np.concatenate([np.empty(0), *pieces]), values)
    assert tensor.count == count


def test_not_a_number_and_negative_zero_survive(tmp_path: Path) -> None:
    values = np.array([0x7FC01234, 0xFF800001, 0x80000000, 1], np.uint32).view(np.float32)
    pieces = list(read_pieces(store(tmp_path / "x", values, "F32")))
    assert np.array_equal(pieces[0].view(np.uint32), values.view(np.uint32))


def test_file_that_shrank_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    tensor = store(path, np.zeros(10, np.float32), "F32")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(UserError) as error:
        list(read_pieces(tensor))
    assert str(error.value) == f"{path}: ends inside `wte`; is the download complete?"


def test_tensors_are_compared_bit_by_bit_as_float32(tmp_path: Path) -> None:
    values = np.arange(PIECE + 9, dtype=np.float32) % 512
    one = store(tmp_path / "one", values, "F32")
    assert hold_same_values(one, store(tmp_path / "half", values.astype(np.float16), "F16"))
    values[-1] = -0.0 if values[-1] == 0 else -values[-1]
    assert not hold_same_values(one, store(tmp_path / "other", values, "F32"))
