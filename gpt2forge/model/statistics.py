"""Reads what calibrate wrote, see `calibration`, without PyTorch and without taking memory for it."""

from pathlib import Path
from typing import Any

import numpy as np

from gpt2forge.model.weights import DTYPES, read_header


def open_statistics(folder: Path) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Every array of the files in `folder` by its name, backed by its file."""
    return {
        name: np.memmap(path, DTYPES[tensor.dtype], "r", tensor.offset, tensor.shape)
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in read_header(path).items()
    }
