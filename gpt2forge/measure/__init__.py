"""Measures a package: its divergence from PyTorch's float32, its speed and its memory on this machine."""
