"""Reads TensorFlow 2 checkpoints of transformers' TFGPT2LMHeadModel without TensorFlow."""
