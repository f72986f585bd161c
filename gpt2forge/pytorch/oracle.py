"""Runs transformers' GPT2LMHeadModel in float32, the reference for all measurements."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpt2forge.checkpoint.hidden_library import hidden

with hidden("scipy", "transformers"):  # for models that detect objects: 0.9 s of a processor
    from transformers import DynamicCache, GPT2LMHeadModel
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

Array = np.ndarray[Any, Any]


def load_model(weights: Path) -> GPT2LMHeadModel:
    """Load the model of a weights artifact in float32."""
    disable_progress_bar()  # type: ignore[no-untyped-call]
    return GPT2LMHeadModel.from_pretrained(weights, dtype=torch.float32, local_files_only=True)


def load_source(folder: Path) -> GPT2LMHeadModel | None:
    """Load the model of a checkpoint in float32; None unless transformers finds every tensor in it."""
    disable_progress_bar()  # type: ignore[no-untyped-call]
    set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        loaded: Any = GPT2LMHeadModel.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except Exception:  # it raises whatever its parts raise; a checkpoint that it cannot load is no measure
        return None
    model, loading = loaded
    return None if loading["missing_keys"] or loading["mismatched_keys"] else model


def list_ends(model: GPT2LMHeadModel) -> list[int]:
    """List the tokens of the vocabulary at which transformers ends a text."""
    named = model.generation_config.eos_token_id if model.generation_config else None
    ids = named if isinstance(named, list) else [] if named is None else [named]
    return [number for number in ids if 0 <= number < model.config.vocab_size]


class Oracle:
    """A model in memory. With 0 threads PyTorch chooses their number."""

    def __init__(self, model: GPT2LMHeadModel, threads: int = 0) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.model = model.eval()  # type: ignore[no-untyped-call]
        self.cache = DynamicCache()

    def read(self, tokens: Sequence[int]) -> Array:
        """Return the logits (S, V) of tokens (S,) without a past."""
        with torch.inference_mode():
            logits: Array = self.model(torch.tensor([tokens]), use_cache=False).logits[0].numpy()
        return logits

    def start(self, prompt: Array) -> int:
        """Empty the cache, read the prompt (S,) and return the likeliest next token."""
        self.cache = DynamicCache()
        return self.read_on(torch.from_numpy(prompt)[None])

    def step(self, token: int) -> int:
        """Read one more token and return the likeliest next one."""
        return self.read_on(torch.tensor([[token]]))

    def read_on(self, tokens: torch.Tensor) -> int:
        with torch.inference_mode():
            made = self.model(tokens, past_key_values=self.cache, use_cache=True, logits_to_keep=1)
        return int(made.logits[0, -1].argmax())
