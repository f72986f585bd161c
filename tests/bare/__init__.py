"""Tests of gpt2forge as `pip install .` installs it: without PyTorch and transformers."""
