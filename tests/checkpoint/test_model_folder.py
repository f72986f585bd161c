"""Writing the weights needs the memory of a piece, whatever the size of a tensor."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.model_folder import write_weights
from gpt2forge.checkpoint.read_tensors import PIECE
from gpt2forge.digest import digest_file
from gpt2forge.errors import UserError


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    values = np.zeros(PIECE + 5, np.float32)
    values[PIECE + 2] = value
    values.tofile(tmp_path / "source")
    tensor = SourceTensor("wte", "F32", values.shape, tmp_path / "source", 0, values.nbytes)
    with pytest.raises(UserError) as error:
        write_weights((tensor,), tmp_path, lambda done, total: None)
    where = f"{tmp_path / 'source'}: `wte`"
    assert str(error.value) == f"{where} holds values that are not finite; start from an earlier checkpoint"


def test_memory_is_a_piece_and_not_a_tensor(tmp_path: Path) -> None:
    values = (
        np.random.default_rng(0).standard_normal((16_000, 1024)).astype(np.float32)
    )  # 64 MB, a stride of write-back
    path = tmp_path / "source"
    values.tofile(path)
    tensors = tuple(SourceTensor(name, "F32", values.shape, path, 0, values.nbytes) for name in ("a", "b"))
    tracemalloc.start()
    written = write_weights(tensors, tmp_path, lambda done, total: None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 4 * PIECE  # one is hashed while the next is read
    assert written.digest == digest_file(tmp_path / "model.safetensors")
    assert all(np.array_equal(written, values) for written in load_file(tmp_path / "model.safetensors").values())
