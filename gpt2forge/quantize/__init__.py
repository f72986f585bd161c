"""Converts the float32 weights of a graph to integers with scales, and writes the package."""
