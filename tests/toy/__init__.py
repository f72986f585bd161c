"""A line of three small stages that fail on request: what the engine is tested with where GPT-2 would only be slow."""
