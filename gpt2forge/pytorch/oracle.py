"""Runs transformers' GPT2LMHeadModel in float32, the reference for all measurements."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, GPT2LMHeadModel
from transformers.utils.logging import disable_progress_bar

Array = np.ndarray[Any, Any]


class Oracle:
    """The model of a weights artifact, in memory. With 0 threads PyTorch chooses their number."""

    def __init__(self, weights: Path, threads: int = 0) -> None:
        if threads:
            torch.set_num_threads(threads)
        disable_progress_bar()  # type: ignore[no-untyped-call]
        model = GPT2LMHeadModel.from_pretrained(weights, dtype=torch.float32, local_files_only=True)
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
