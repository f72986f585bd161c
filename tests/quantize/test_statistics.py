"""Tests that statistics are read as calibration wrote them."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from gpt2forge.quantize.statistics import list_cache_magnitudes, open_statistics


def test_magnitudes_come_layer_by_layer(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    names = [f"h.{layer}.attn.{part}.largest" for layer in range(11) for part in ("key", "value")]
    tensors = {name: random.random((3, 8), np.float32) for name in names}
    for layer in range(11):
        mine = {name: values for name, values in tensors.items() if name.startswith(f"h.{layer}.")}
        save_file(
            {**mine, f"h.{layer}.attn.c_attn.hessian": np.ones(21, np.float32)}, tmp_path / f"h.{layer}.safetensors"
        )
    statistics = open_statistics(tmp_path)
    assert statistics.keys() == set(names) | {f"h.{layer}.attn.c_attn.hessian" for layer in range(11)}
    found = list_cache_magnitudes(statistics)
    assert len(found) == 11
    for layer, pair in enumerate(found):
        for part, values in zip(("key", "value"), pair, strict=True):
            np.testing.assert_array_equal(values, tensors[f"h.{layer}.attn.{part}.largest"])


def test_there_may_be_none(tmp_path: Path) -> None:
    assert list_cache_magnitudes(open_statistics(tmp_path)) == []
