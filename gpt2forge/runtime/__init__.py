"""Opens a package in ONNX Runtime: computes logits, scores text and generates it."""

from gpt2forge.graph import lazy_sympy as lazy_sympy  # before anything imports onnx_ir
