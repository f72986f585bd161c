"""Fuzzes the readers of checkpoints: damages files of samples at random, guided by the lines that each input reaches."""
