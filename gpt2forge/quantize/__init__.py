"""Turns a graph's float32 weights into integers with scales, and writes the package."""
