"""Opens a package in ONNX Runtime: computes logits, scores text and generates it.

From version 1.29 on, ONNX Runtime looks up a host of its maker and writes to `~/.cache/Microsoft` after some nine
seconds, unless the variable below is set when it is imported. All modules that import it are in this package, so the
variable is set before. See https://github.com/microsoft/onnxruntime/pull/27379.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from gpt2forge.graph import lazy_sympy as lazy_sympy  # before anything imports onnx_ir
