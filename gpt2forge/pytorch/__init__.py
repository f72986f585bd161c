"""Runs GPT-2 in PyTorch: for the reference that packages are compared with, and for calibration statistics."""
