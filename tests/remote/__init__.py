"""Tests of the levels behind the store, on real folders and servers."""
