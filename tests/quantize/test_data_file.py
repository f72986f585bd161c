"""Tests of the layout of `model.onnx_data`, and that each byte is written to its place."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.errors import UserError
from gpt2forge.quantize.data_file import LARGE, LINE, PAGE, DataFile, Layout, Region, map_weight


@given(st.lists(st.integers(1, 3 * LARGE)))
def test_regions_are_aligned_and_apart(lengths: list[int]) -> None:
    layout, end = Layout(), 0
    for length in lengths:
        region = layout.reserve(length)
        assert region.length == length
        assert end <= region.offset < end + PAGE
        assert region.offset % (PAGE if length >= LARGE else LINE) == 0
        end = region.end
    assert layout.size == end


def test_pieces_land_where_they_belong(tmp_path: Path) -> None:
    with DataFile(tmp_path, 40) as file:
        file.write(Region(16, 24), 8, np.arange(4, dtype=np.int32)[::2])
    data = (tmp_path / "model.onnx_data").read_bytes()
    assert len(data) == 40
    assert np.frombuffer(data, np.int32).tolist() == [0, 0, 0, 0, 0, 0, 0, 2, 0, 0]


def test_piece_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with DataFile(tmp_path, 40) as file, pytest.raises(ValueError) as error:
        file.write(Region(16, 8), 4, np.zeros(2, np.float32))
    assert str(error.value) == "8 bytes at 4 do not fit into Region(offset=16, length=8)"


def test_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "model.onnx_data").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        DataFile(tmp_path, 40)


def refer(location: str, offset: int, length: int, shape: tuple[int, ...]) -> ir.ExternalTensor:
    return ir.ExternalTensor(location, offset, length, ir.DataType.FLOAT, shape=ir.Shape(shape), name="w")


def test_weight_is_mapped_where_the_graph_says(tmp_path: Path) -> None:
    np.arange(8, dtype=np.float32).tofile(tmp_path / "model.safetensors")
    values = map_weight(refer("model.safetensors", 8, 16, (2, 2)), tmp_path)
    assert values.tolist() == [[2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("location", "offset", "length", "shape"),
    [
        ("model.safetensors", 24, 16, (2, 2)),
        ("model.safetensors", 8, 16, (2, 3)),
        ("missing.safetensors", 8, 16, (2, 2)),
        ("../w/model.safetensors", 8, 16, (2, 2)),
    ],
)
def test_weight_that_the_file_does_not_hold_is_an_error(
    tmp_path: Path, location: str, offset: int, length: int, shape: tuple[int, ...]
) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    np.arange(8, dtype=np.float32).tofile(folder / "model.safetensors")
    with pytest.raises(UserError) as error:
        map_weight(refer(location, offset, length, shape), folder)
    assert str(error.value) == (f"{folder / location}: does not hold `w` as {list(shape)} of float32 at {offset}")
