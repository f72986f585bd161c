"""What PyTorch computes: the reference that results are compared with, and calibration statistics."""
