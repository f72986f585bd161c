"""Runs the steps of builds on a Dask cluster. distributed is imported only here."""
