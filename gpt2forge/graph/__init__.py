"""Builds GPT-2 as an ONNX graph, node by node, and rewrites it by passes."""
