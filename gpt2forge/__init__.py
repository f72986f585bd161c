"""gpt2forge: a declarative build system that makes a fine-tuned GPT-2 small and fast on an ordinary CPU."""

__version__ = "0.1.0"
