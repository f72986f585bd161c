"""From YAML to a valid recipe; every fault has its place in the file."""
