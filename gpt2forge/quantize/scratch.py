"""Arrays that one thread uses again and again.

Fresh ones of a megabyte would be new pages each time: the system then works as long as the arithmetic does.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np


class Scratch:
    """Hands out arrays by name; what an array held is gone when its name is asked for again."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}

    def array(self, name: str, shape: Sequence[int], dtype: type[np.generic]) -> np.ndarray[Any, Any]:
        """An array of this shape with any content."""
        size = prod(shape)
        held = self.arrays.get(name)
        if held is None or held.size < size:
            held = self.arrays[name] = np.empty(size, dtype)
        return held[:size].reshape(shape)
