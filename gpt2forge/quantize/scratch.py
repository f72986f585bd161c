"""Keeps arrays that one thread uses again and again.

New arrays of a megabyte would need new pages each time, and the kernel would take as long as the arithmetic.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np


class Scratch:
    """Arrays by name; the content of an array is valid until the next request for its name."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}

    def array(self, name: str, shape: Sequence[int], dtype: type[np.generic]) -> np.ndarray[Any, Any]:
        """Return an array of this shape with arbitrary content."""
        size = prod(shape)
        held = self.arrays.get(name)
        if held is None or held.size < size:
            held = self.arrays[name] = np.empty(size, dtype)
        return held[:size].reshape(shape)
