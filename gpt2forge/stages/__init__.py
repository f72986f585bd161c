"""The stages: each one reads a section of the recipe and writes one artifact."""
