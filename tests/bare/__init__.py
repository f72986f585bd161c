"""gpt2forge where `pip install .` is all that was installed: without PyTorch and transformers."""
