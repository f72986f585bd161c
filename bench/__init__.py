"""What `make bench` measures: builds, sizes and speed beside PyTorch, in one run on this machine."""
