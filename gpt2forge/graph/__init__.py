"""GPT-2 as an ONNX graph: built node by node, and rewritten by passes."""
