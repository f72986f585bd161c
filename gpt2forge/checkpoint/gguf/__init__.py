"""Reads GPT-2s in llama.cpp's GGUF files."""
