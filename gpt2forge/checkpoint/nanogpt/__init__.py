"""Reads the checkpoints of nanoGPT."""
