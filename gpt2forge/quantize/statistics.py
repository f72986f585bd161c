"""Reads the statistics that the stage `calibrate` wrote, mapped from their files and without PyTorch."""

from collections.abc import Mapping
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import numpy as np

from gpt2forge.checkpoint.dtypes import find_dtype
from gpt2forge.checkpoint.safetensors import read_header

Array = np.ndarray[Any, np.dtype[np.float32]]


def open_statistics(folder: Path) -> dict[str, Array]:
    """Map every array of the files in `folder`, by name."""
    return {
        name: np.memmap(path, find_dtype(tensor.dtype), "r", tensor.offset, tensor.shape)
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in read_header(path).items()
    }


def list_cache_magnitudes(statistics: Mapping[str, Array]) -> list[tuple[Array, Array]]:
    """Return the largest magnitudes (H, D) of each layer's keys and values."""
    pairs = ([f"h.{layer}.attn.{part}.largest" for part in ("key", "value")] for layer in count())
    known = takewhile(lambda names: statistics.keys() >= set(names), pairs)
    return [(statistics[key], statistics[value]) for key, value in known]
