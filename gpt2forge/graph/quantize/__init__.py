"""Turn a graph's float32 weights into integers with scales, one tensor at a time."""
