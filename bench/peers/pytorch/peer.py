"""PyTorch with transformers: float32, bfloat16, and its own dynamic int8 of linear layers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, GPT2LMHeadModel
from transformers.pytorch_utils import Conv1D

from bench.peers.stepwise import Array, Stepwise

SIZES = {"fp32": 4, "bf16": 2, "int8": 1}  # bytes of a weight


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    """Link to the folder of transformers, which is opened as it is."""
    place = out / scheme
    place.unlink(missing_ok=True)
    place.symlink_to(weights)
    return place


def make_linear(layer: Conv1D) -> torch.nn.Linear:
    """Return a Conv1D, which PyTorch's quantization does not know, as the linear layer that it is."""
    linear = torch.nn.Linear(*layer.weight.shape)
    linear.weight.data, linear.bias.data = layer.weight.data.T.contiguous(), layer.bias.data
    return linear


def quantize(model: torch.nn.Module) -> Any:
    """Return the model with its linear layers in dynamic int8."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, Conv1D):
                setattr(module, name, make_linear(child))
    quantize_dynamic: Any = torch.ao.quantization.quantize_dynamic  # which has no types
    return quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


class Peer(Stepwise):
    def __init__(self, path: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        dtype = torch.bfloat16 if path.name == "bf16" else torch.float32
        model = GPT2LMHeadModel.from_pretrained(path.resolve(), dtype=dtype)
        model = model.eval()  # type: ignore[no-untyped-call]
        self.read_bytes = SIZES[path.name] * sum(parameter.numel() for parameter in model.parameters())
        self.model = quantize(model) if path.name == "int8" else model

    def begin(self, batch: int, capacity: int) -> None:
        self.cache = DynamicCache()

    def forward(self, ids: Array) -> Array:
        with torch.inference_mode():
            output = self.model(torch.from_numpy(ids), past_key_values=self.cache, use_cache=True, logits_to_keep=1)
        return np.asarray(output.logits[:, -1].float())

    def read(self, tokens: list[int]) -> Array:
        with torch.inference_mode():
            return np.asarray(self.model(torch.tensor([tokens]), use_cache=False).logits[0].float())
