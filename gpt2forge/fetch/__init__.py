"""Fetches checkpoints from the Hugging Face Hub and from OpenAI's storage, before a build is planned."""
