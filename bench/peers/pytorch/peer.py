"""PyTorch with transformers: float32, and its own dynamic int8 of linear layers."""

import time
from pathlib import Path

import torch
from transformers import GPT2LMHeadModel
from transformers.pytorch_utils import Conv1D


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    """Nothing is converted ahead: the folder of transformers is what is opened."""
    place = out / scheme
    place.unlink(missing_ok=True)
    place.symlink_to(weights)
    return place


def make_linear(layer: Conv1D) -> torch.nn.Linear:
    """A Conv1D, which PyTorch's quantization does not know, as the linear layer that it is."""
    linear = torch.nn.Linear(*layer.weight.shape)
    linear.weight.data, linear.bias.data = layer.weight.data.T.contiguous(), layer.bias.data
    return linear


def quantize(model: torch.nn.Module) -> torch.nn.Module:
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, Conv1D):
                setattr(module, name, make_linear(child))
    return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


class Peer:
    def __init__(self, path: Path, threads: int, capacity: int) -> None:
        torch.set_num_threads(threads)
        model = GPT2LMHeadModel.from_pretrained(path.resolve(), dtype=torch.float32).eval()
        self.model = quantize(model) if path.name == "int8" else model

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
            with torch.inference_mode():
                said = self.model(input_ids=ids, past_key_values=past, use_cache=True, logits_to_keep=1)
            token = int(said.logits[0, -1].argmax())
            times.append(1e3 * (time.perf_counter() - began))
            text.append(token)
            ids, past = torch.tensor([[token]]), said.past_key_values
        return text, times
