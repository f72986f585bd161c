"""Runs jobs: each step in its own process, its artifact into the store."""
