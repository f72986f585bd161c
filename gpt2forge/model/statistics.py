"""What calibration found of the keys and values, in the file that it writes.

`h.N.attn.key.largest` and `h.N.attn.value.largest`, float32 (H, D): the largest magnitude of each channel of layer N.
"""

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.model.weights import DTYPES, Tensor, read_header

STATISTICS_FILE = "statistics.safetensors"
PARTS = ("key", "value")


def read_cache_magnitudes(folder: Path) -> list[dict[str, np.ndarray[Any, Any]]]:
    """The largest magnitudes (H, D) of each layer's `key` and `value`.

    Raises UserError when the file holds none, or is not what calibration writes.
    """
    path = folder / STATISTICS_FILE
    header = read_header(path)
    layers: list[dict[str, np.ndarray[Any, Any]]] = []
    for layer in count():
        names = {part: f"h.{layer}.attn.{part}.largest" for part in PARTS}
        if not header.keys() >= set(names.values()):
            break
        layers.append({part: read_table(path, header[name]) for part, name in names.items()})
    if not layers:
        raise UserError(f"{path}: holds no magnitudes of keys and values; calibrate the model again")
    return layers


def read_table(path: Path, tensor: Tensor) -> np.ndarray[Any, Any]:
    if tensor.dtype != "F32" or len(tensor.shape) != 2:
        raise UserError(
            f"{path}: `{tensor.name}` is {list(tensor.shape)} of {tensor.dtype}, and not a table of float32"
        )
    return np.fromfile(path, DTYPES["F32"], tensor.nbytes // 4, offset=tensor.offset).reshape(tensor.shape)
