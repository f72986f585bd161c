"""Examines the machine and the installation: what they are good for, what is slow or wrong, and how to fix it."""
