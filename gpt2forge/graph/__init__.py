"""GPT-2 as an ONNX graph: built, rewritten, quantized, run."""
