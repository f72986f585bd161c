"""Opens a package in ONNX Runtime: computes logits, scores text and generates it."""
