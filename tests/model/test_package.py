"""Writing the weights takes the memory of a piece, whatever a tensor's size."""

import tracemalloc
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from gpt2forge.model.package import write_weights
from gpt2forge.model.stored import PIECE, Stored


def test_memory_is_a_piece_and_not_a_tensor(tmp_path: Path) -> None:
    values = (
        np.random.default_rng(0).standard_normal((16_000, 1024)).astype(np.float32)
    )  # 64 MB, a stride of write-back
    path = tmp_path / "source"
    values.tofile(path)
    tensors = tuple(Stored(name, "F32", values.shape, path, 0, values.nbytes, None) for name in ("a", "b"))
    tracemalloc.start()
    assert write_weights(tensors, tmp_path, lambda done, total: None) == 2 * values.size
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 4 * PIECE
    assert all(np.array_equal(written, values) for written in load_file(tmp_path / "model.safetensors").values())
