"""Builds GPT-2 as an ONNX graph, node by node, and rewrites it by passes."""

from gpt2forge.graph import lazy_sympy

lazy_sympy.install()
