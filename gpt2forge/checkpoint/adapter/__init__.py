"""Reads the adapters that peft saves, and merges them into the weights of a checkpoint."""
