"""Opens a package in ONNX Runtime: runs, scores and generates text."""
