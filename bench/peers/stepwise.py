"""Peers with the interface of transformers: a forward pass takes tokens and a cache, and gives logits and a cache."""

import time
from typing import Any

import torch


class Stepwise:
    """Writes the likeliest token, one after the other; what inherits says how a forward pass is called."""

    def forward(self, ids: torch.Tensor, past: Any, length: int) -> Any:
        """What `model(...)` gives for tokens (1, S) behind a cache, of `length` tokens with them."""
        raise NotImplementedError

    def run(self, prompt: list[int], new: int) -> dict[str, float]:
        times = self.go_on(prompt, new)[1]
        return {"prefill_ms": times[0], "token_ms": sorted(times[1:])[len(times) // 2]}

    def write(self, prompt: list[int], new: int) -> list[int]:
        return self.go_on(prompt, new)[0]

    def go_on(self, prompt: list[int], new: int) -> tuple[list[int], list[float]]:
        """The likeliest tokens, and the milliseconds of each."""
        ids, past, text, times = torch.tensor([prompt]), None, [], []
        while len(text) < new:
            began = time.perf_counter()
            said = self.forward(ids, past, len(prompt) + len(text))
            token = int(said.logits[0, -1].argmax())
            times.append(1e3 * (time.perf_counter() - began))
            text.append(token)
            ids, past = torch.tensor([[token]]), said.past_key_values
        return text, times
