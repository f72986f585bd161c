"""PyTorch with transformers: float32, and its own dynamic int8 of linear layers."""

from pathlib import Path
from typing import Any

import torch
from stepwise import Stepwise
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


class Peer(Stepwise):
    def __init__(self, path: Path, threads: int, capacity: int) -> None:
        torch.set_num_threads(threads)
        model = GPT2LMHeadModel.from_pretrained(path.resolve(), dtype=torch.float32).eval()
        self.model = quantize(model) if path.name == "int8" else model

    def forward(self, ids: torch.Tensor, past: Any, length: int) -> Any:
        with torch.inference_mode():
            return self.model(input_ids=ids, past_key_values=past, use_cache=True, logits_to_keep=1)
