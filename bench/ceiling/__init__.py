"""What kernels could do on this processor, beside what ONNX Runtime's operators do: an upper bound for our graphs."""
