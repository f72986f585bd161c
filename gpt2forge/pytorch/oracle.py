"""What PyTorch says of a model: transformers' GPT2LMHeadModel in float32, the measure of all else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, GPT2LMHeadModel
from transformers.utils.logging import disable_progress_bar

Array = np.ndarray[Any, Any]


class Oracle:
    """The model of a weights artifact, in memory. 0 threads: as many as PyTorch chooses."""

    def __init__(self, weights: Path, threads: int = 0) -> None:
        if threads:
            torch.set_num_threads(threads)
        disable_progress_bar()  # type: ignore[no-untyped-call]
        model = GPT2LMHeadModel.from_pretrained(weights, dtype=torch.float32, local_files_only=True)
        self.model = model.eval()  # type: ignore[no-untyped-call]
        self.cache = DynamicCache()

    def read(self, tokens: Sequence[int]) -> Array:
        """The logits (S, V) of tokens (S,) that follow nothing."""
        with torch.inference_mode():
            logits: Array = self.model(torch.tensor([tokens]), use_cache=False).logits[0].numpy()
        return logits

    def start(self, prompt: Array) -> int:
        """Forget what was, read the prompt (S,), give the likeliest next token."""
        self.cache = DynamicCache()
        return self.go_on(torch.from_numpy(prompt)[None])

    def step(self, token: int) -> int:
        """Read one token on top of all before it, give the likeliest next."""
        return self.go_on(torch.tensor([[token]]))

    def go_on(self, tokens: torch.Tensor) -> int:
        with torch.inference_mode():
            made = self.model(tokens, past_key_values=self.cache, use_cache=True, logits_to_keep=1)
        return int(made.logits[0, -1].argmax())
