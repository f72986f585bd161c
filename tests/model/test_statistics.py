"""The magnitudes of keys and values in the file that calibration writes."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from gpt2forge.errors import UserError
from gpt2forge.model.statistics import STATISTICS_FILE, read_cache_magnitudes
from tests.graph.models import Array


def write(folder: Path, tensors: dict[str, Array]) -> Path:
    """A file of statistics, in which other ones stand too."""
    save_file({**tensors, "h.0.attn.c_attn.hessian": np.eye(6, dtype=np.float32)}, folder / STATISTICS_FILE)
    return folder


def test_magnitudes_are_read_layer_by_layer(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    names = [f"h.{layer}.attn.{part}.largest" for layer in range(11) for part in ("key", "value")]
    tensors = {name: random.random((3, 8), np.float32) for name in names}
    found = read_cache_magnitudes(write(tmp_path, tensors))
    assert len(found) == 11
    for layer, parts in enumerate(found):
        assert list(parts) == ["key", "value"]
        for part, values in parts.items():
            assert np.array_equal(values, tensors[f"h.{layer}.attn.{part}.largest"])


def test_file_without_them_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_cache_magnitudes(write(tmp_path, {}))
    path = tmp_path / STATISTICS_FILE
    assert str(error.value) == f"{path}: holds no magnitudes of keys and values; calibrate the model again"


def test_what_is_no_table_of_float32_is_an_error(tmp_path: Path) -> None:
    flat, half = np.ones(8, np.float32), np.ones((3, 8), np.float16)
    path = tmp_path / STATISTICS_FILE
    for wrong, said in ((flat, "[8] of F32"), (half, "[3, 8] of F16")):
        tensors = {"h.0.attn.key.largest": wrong, "h.0.attn.value.largest": np.ones((3, 8), np.float32)}
        with pytest.raises(UserError) as error:
            read_cache_magnitudes(write(tmp_path, tensors))
        assert str(error.value) == f"{path}: `h.0.attn.key.largest` is {said}, and not a table of float32"
