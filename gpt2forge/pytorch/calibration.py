"""Collects statistics of the inputs of a model's linear layers on a text, with one layer in memory at a time.

Each layer has a file `h.N.safetensors` of float32 arrays. For each linear layer `h.N.attn.c_attn`, ..., with inputs x
of width K, it holds:

* `.hessian` (K * (K + 1) / 2,): the mean of x xᵀ over the tokens, its lower triangle row by row. It is half of the
  second derivative of the layer's mean squared error with respect to its weights, hence its name in the literature.
* `.mean` (K,): the mean of each input.

It also holds `h.N.attn.key.largest` and `h.N.attn.value.largest` (H, D): the largest magnitudes in the KV cache.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gpt2forge.checkpoint.hidden_library import hidden
from gpt2forge.checkpoint.model_folder import WEIGHTS

with hidden("scipy", "transformers"):  # for models that detect objects: 0.9 s of a processor
    from transformers import GPT2Config
    from transformers.models.gpt2.modeling_gpt2 import GPT2Block
    from transformers.pytorch_utils import Conv1D

STRIP = 512  # rows of x xᵀ per product: enough for full speed, and few products outside the triangle

Tick = Callable[[int, int, str], None]
"""A function that is called with (done, total, unit)."""


class InputSums:
    """Sums over the inputs (..., K) of one linear layer. Only the lower triangle of `products` (K, K) is valid."""

    def __init__(self, width: int) -> None:
        self.products, self.total, self.tokens = torch.zeros(width, width), torch.zeros(width), 0

    def add(self, x: torch.Tensor) -> None:
        rows = x.reshape(-1, x.shape[-1])  # (T, K)
        for start in range(0, rows.shape[1], STRIP):
            stop = start + STRIP
            self.products[start:stop, :stop].addmm_(rows.T[start:stop], rows[:, :stop])
        self.total += rows.sum(dim=0)
        self.tokens += len(rows)

    @property
    def hessian(self) -> torch.Tensor:
        """The mean product, its lower triangle packed to (K * (K + 1) / 2,)."""
        return torch.cat([row[: place + 1] for place, row in enumerate(self.products)]).div_(self.tokens)


@dataclass
class Layer:
    """A block of the model with hooks that collect the inputs of its linear layers."""

    name: str
    block: GPT2Block
    sums: dict[str, InputSums] = field(default_factory=dict)
    cache: torch.Tensor = field(default_factory=lambda: torch.zeros(()))

    def __post_init__(self) -> None:
        for name, module in self.block.named_modules():
            if isinstance(module, Conv1D):
                self.watch(name, module)
        self.block.attn.c_attn.register_forward_hook(lambda module, inputs, packed: self.see_cache(packed))

    def watch(self, name: str, linear: Conv1D) -> None:
        sums = self.sums[name] = InputSums(linear.weight.shape[0])
        linear.register_forward_pre_hook(lambda module, inputs: sums.add(inputs[0]))

    def see_cache(self, packed: torch.Tensor) -> None:
        """Track the largest magnitudes of c_attn's output (B, S, 3*H*D); its last two thirds are keys and values."""
        self.cache = torch.maximum(self.cache, packed.abs().amax(dim=(0, 1)))

    def list_statistics(self) -> Iterator[tuple[str, torch.Tensor]]:
        for name, sums in self.sums.items():
            yield f"{self.name}.{name}.hessian", sums.hessian
            yield f"{self.name}.{name}.mean", sums.total / sums.tokens
        _, keys, values = self.cache.reshape(3, self.block.attn.num_heads, -1)  # (H, D) each
        yield f"{self.name}.attn.key.largest", keys.clone()
        yield f"{self.name}.attn.value.largest", values.clone()


def write_statistics(weights: Path, windows: Sequence[Sequence[int]], out: Path, tick: Tick) -> None:
    """Run windows of token ids through the model of a weights artifact, and write the statistics of each layer."""
    config = GPT2Config.from_pretrained(weights, attn_implementation="sdpa")
    total = config.n_layer * len(windows)
    with torch.inference_mode(), safe_open(weights / WEIGHTS, framework="pt") as tensors:
        hidden = [embed(tensors, window) for window in windows]
        for number in range(config.n_layer):
            layer = open_layer(config, tensors, number)
            for place, x in enumerate(hidden):
                tick(number * len(windows) + place, total, "windows")
                hidden[place] = layer.block(x)
            save_file(dict(layer.list_statistics()), out / f"{layer.name}.safetensors")
            del layer
            gc.collect()  # the hooks and the layer refer to each other


def embed(tensors: Any, window: Sequence[int]) -> torch.Tensor:
    """Return the input (1, S, E) of the first layer. The embedding table stays in the file."""
    tokens, positions = (tensors.get_tensor(f"transformer.{name}.weight") for name in ("wte", "wpe"))
    fed: torch.Tensor = tokens[torch.tensor(window)] + positions[: len(window)]
    return fed[None]


def open_layer(config: GPT2Config, tensors: Any, number: int) -> Layer:
    """Make a block whose weights are mapped from the file."""
    with torch.device("meta"):
        block = GPT2Block(config, number).eval()  # type: ignore[no-untyped-call]
    prefix = f"transformer.h.{number}."
    block.load_state_dict({name: tensors.get_tensor(prefix + name) for name in block.state_dict()}, assign=True)
    return Layer(f"h.{number}", block)
