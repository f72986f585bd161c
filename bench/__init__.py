"""`make bench`: builds, sizes and speed beside PyTorch, in one run on this machine."""
