"""Builds on Dask clusters."""
