"""Reads Hugging Face checkpoint directories without transformers."""
