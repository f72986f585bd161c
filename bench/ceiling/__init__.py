"""Measures what kernels could do on this processor beside ONNX Runtime's operators: an upper bound for our graphs."""
