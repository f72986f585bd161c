"""The environment of a worker: that of this process, without variables that change what libraries compute.

Such a variable would change a result and be in no key. Without it, the number of threads is that of the processors that
the process may use, and each library chooses its kernels by the processor; both are in the keys of what they change.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from gpt2forge.checked_import import DIGESTS

DECIDING = re.compile(
    r"(OMP|GOMP|KMP|MKL|DNNL|ONEDNN|OPENBLAS|GOTO|BLIS|VECLIB|ACCELERATE|NUMEXPR|NPY|ATEN|TORCH|PYTORCH|XNNPACK)_.*"
    r"|GLIBC_TUNABLES|NVIDIA_TF32_OVERRIDE|CUBLAS_WORKSPACE_CONFIG"
)
"""Variables of OpenMP, MKL, oneDNN, OpenBLAS, BLIS, Accelerate, NumPy, PyTorch, and of the C library's kernels."""


def make_environment(code: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a worker that runs modules whose sources have these digests, by name."""
    kept = {name: value for name, value in environment.items() if not DECIDING.fullmatch(name)}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        "PYTHONHASHSEED": "0",
        DIGESTS: json.dumps(code),
    }
