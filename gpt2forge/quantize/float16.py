"""float16 in place of float32: the numbers.

|x - value| <= 2^-11 |x|, and at most 2^-25 below the smallest normal number, 2^-14.
"""

from typing import Any

import numpy as np

from gpt2forge.quantize.blocks import Floats

Halves = np.ndarray[Any, np.dtype[np.float16]]


def narrow(values: Floats) -> Halves:
    """The nearest float16 of each value; raises ValueError where one is not finite, or beyond 65504."""
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite")
    with np.errstate(over="ignore"):
        halves: Halves = values.astype(np.float16)
    if not np.isfinite(halves).all():
        raise ValueError(f"a value is beyond {np.finfo(np.float16).max:.0f}, the largest of float16")
    return halves
