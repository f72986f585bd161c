"""The tensor types that can be read, as numpy types. `safetensors` has their sizes.

Importing it is cheap: what finds a checkpoint imports it with all readers.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

CODES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


def find_dtype(name: str) -> "np.dtype[Any]":
    """Return the numpy type of a tensor type; bfloat16 is ml_dtypes'. `name` is a key of ITEM_SIZES."""
    import ml_dtypes
    import numpy as np

    return np.dtype(ml_dtypes.bfloat16) if name == "BF16" else np.dtype(CODES[name])
