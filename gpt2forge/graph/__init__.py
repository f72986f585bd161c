"""GPT-2 as an ONNX graph: built, rewritten, quantized, run."""

from gpt2forge.graph import lazy_sympy

lazy_sympy.install()
