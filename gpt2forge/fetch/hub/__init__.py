"""Fetches repositories of the Hugging Face Hub. Only these modules import huggingface_hub."""
