"""The systems that are compared: each takes a prompt, then one token after the other, greedily."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
import torch
from transformers import DynamicCache, GPT2LMHeadModel

from gpt2forge.graph.interface import (
    ATTENTION_MASK,
    INPUT_IDS,
    LOGITS,
    LOGITS_TO_KEEP,
    POSITION_IDS,
    count_layers,
    past_names,
    present_names,
)
from gpt2forge.graph.session import open_package


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
    """A built directory in plain onnxruntime: bound inputs and outputs, the cache shared in place."""

    def __init__(self, folder: Path, threads: int, capacity: int) -> None:
        self.session: ort.InferenceSession = open_package(folder, threads)
        self.capacity = capacity
        self.total = 0
        shapes = {value.name: value.shape for value in self.session.get_inputs()}
        self.layers = count_layers(shapes)
        _, heads, _, width = shapes[past_names(0)[0]]
        room = (1, heads, capacity, width)  # (B, H, capacity, D)
        self.caches = [
            [ort.OrtValue.ortvalue_from_numpy(np.zeros(room, np.float32)) for _ in "kv"] for _ in range(self.layers)
        ]
        self.one = ort.OrtValue.ortvalue_from_numpy(np.ones(1, np.int64))
        self.binding = self.session.io_binding()
        self.bind_cache()

    def bind_cache(self) -> None:
        """The same memory as past and present: each run writes its keys and values behind those before."""
        for layer, caches in enumerate(self.caches):
            for past, present, cache in zip(past_names(layer), present_names(layer), caches, strict=True):
                self.binding.bind_ortvalue_input(past, cache)
                self.binding.bind_ortvalue_output(present, cache)
        # An input with an initializer is found only this way.
        self.binding.bind_ortvalue_input(LOGITS_TO_KEEP, self.one)

    def start(self, prompt: np.ndarray) -> int:
        self.total = 0
        return self.run(prompt)

    def step(self, token: int) -> int:
        return self.run(np.array([token]))

    def run(self, tokens: np.ndarray) -> int:
        before, self.total = self.total, self.total + len(tokens)
        self.binding.bind_cpu_input(INPUT_IDS, tokens[None].astype(np.int64))
        self.binding.bind_cpu_input(ATTENTION_MASK, np.ones((1, self.total), np.int64))
        self.binding.bind_cpu_input(POSITION_IDS, np.arange(before, self.total, dtype=np.int64)[None])
        self.binding.bind_output(LOGITS)
        self.session.run_with_iobinding(self.binding)
        logits = self.binding.get_outputs()[-1].numpy()  # (B, K, V), bound last
        return int(logits[0, -1].argmax())


def time_call(call: Callable[[], int]) -> tuple[float, int]:
    """Seconds that a call took, and what it gave."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result
