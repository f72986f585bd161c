"""The systems that are compared: each takes a prompt, then one token after the other, greedily."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from transformers import DynamicCache, GPT2LMHeadModel
from transformers.utils.logging import disable_progress_bar

from gpt2forge.graph.decode import open_decoder


class System(Protocol):
    """Something that runs a GPT-2 with a cache."""

    def start(self, prompt: np.ndarray) -> int:
        """Forget what was, read the prompt (S,), give the likeliest next token."""

    def step(self, token: int) -> int:
        """Read one token on top of all before it, give the likeliest next."""


def count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Torch:
    """PyTorch as transformers runs it: float32, its default attention, its cache, logits of the last position only."""

    def __init__(self, weights: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        disable_progress_bar()
        self.model = GPT2LMHeadModel.from_pretrained(weights, dtype=torch.float32).eval()
        self.cache = DynamicCache()

    def start(self, prompt: np.ndarray) -> int:
        self.cache = DynamicCache()
        return self.run(torch.from_numpy(prompt)[None])

    def step(self, token: int) -> int:
        return self.run(torch.tensor([[token]]))

    def run(self, tokens: torch.Tensor) -> int:
        with torch.inference_mode():
            made = self.model(tokens, past_key_values=self.cache, use_cache=True, logits_to_keep=1)
        return int(made.logits[0, -1].argmax())


class Onnx:
    """A built directory as `gpt2forge generate` runs it: plain onnxruntime, the cache shared in place."""

    def __init__(self, folder: Path, threads: int, capacity: int) -> None:
        self.decoder = open_decoder(folder, threads)
        self.capacity = capacity
        self.read = self.decoder.start(capacity)

    def start(self, prompt: np.ndarray) -> int:
        self.read = self.decoder.start(self.capacity)
        return int(self.read(prompt).argmax())

    def step(self, token: int) -> int:
        return int(self.read(np.array([token], np.int64)).argmax())


def time_call(call: Callable[[], int]) -> tuple[float, int]:
    """Seconds that a call took, and what it gave."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result
