"""Runs a job: each step in a process of its own, its artifact kept, the result published."""
