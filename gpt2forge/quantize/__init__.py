"""Converts the float32 weights of a graph to integers with scales, and writes the package."""

from gpt2forge.graph import lazy_sympy as lazy_sympy  # before anything imports onnx_ir
