"""Reads TensorFlow 1 checkpoints without TensorFlow."""
