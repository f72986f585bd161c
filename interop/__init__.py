"""Runs published directories in other programs, each in an environment of its own: `make test-interop`."""
