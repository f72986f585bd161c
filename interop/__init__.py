"""Runs what is published in the programs of others, each in an environment of its own: `make test-interop`."""
