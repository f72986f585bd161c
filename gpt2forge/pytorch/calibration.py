"""What a text feeds to a model's linear layers: sums over its tokens, with one layer of the model in memory at a time.

A file `h.N.safetensors` for each layer holds float32. For each linear layer `h.N.attn.c_attn`, ..., with inputs x of
width K:

* `.hessian` (K * (K + 1) / 2,): the mean of x xᵀ over the tokens, its lower triangle row by row. It is half of the
  second derivative of the layer's mean square error by its weights, hence the name that the literature has for it.
* `.mean` (K,): the mean of each input.

And `h.N.attn.key.largest`, `h.N.attn.value.largest` (H, D): the largest magnitudes of what the cache will hold.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import GPT2Config
from transformers.models.gpt2.modeling_gpt2 import GPT2Block
from transformers.pytorch_utils import Conv1D

from gpt2forge.checkpoint.model_folder import WEIGHTS

STRIP = 512  # rows of x xᵀ that are one product: large enough for full speed, and little beyond the triangle

Tick = Callable[[int, int, str], None]
"""Called with (done, total, unit)."""


class Sums:
    """What is kept of the inputs (..., K) of one linear layer; of `products` (K, K) only the lower triangle is good."""

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
        """Packed, (K * (K + 1) / 2,)."""
        return torch.cat([row[: place + 1] for place, row in enumerate(self.products)]).div_(self.tokens)


@dataclass
class Layer:
    """A block of the model at work, and what its linear layers see."""

    name: str
    block: GPT2Block
    sums: dict[str, Sums] = field(default_factory=dict)
    cache: torch.Tensor = field(default_factory=lambda: torch.zeros(()))

    def __post_init__(self) -> None:
        for name, module in self.block.named_modules():
            if isinstance(module, Conv1D):
                self.watch(name, module)
        self.block.attn.c_attn.register_forward_hook(lambda module, inputs, packed: self.see_cache(packed))

    def watch(self, name: str, linear: Conv1D) -> None:
        sums = self.sums[name] = Sums(linear.weight.shape[0])
        linear.register_forward_pre_hook(lambda module, inputs: sums.add(inputs[0]))

    def see_cache(self, packed: torch.Tensor) -> None:
        """Keys and values are the last two thirds of what c_attn gives, (B, S, 3*H*D)."""
        self.cache = torch.maximum(self.cache, packed.abs().amax(dim=(0, 1)))

    def list_statistics(self) -> Iterator[tuple[str, torch.Tensor]]:
        for name, sums in self.sums.items():
            yield f"{self.name}.{name}.hessian", sums.hessian
            yield f"{self.name}.{name}.mean", sums.total / sums.tokens
        _, keys, values = self.cache.reshape(3, self.block.attn.num_heads, -1)  # (H, D) each
        yield f"{self.name}.attn.key.largest", keys.clone()
        yield f"{self.name}.attn.value.largest", values.clone()


def write_statistics(weights: Path, windows: Sequence[Sequence[int]], out: Path, tick: Tick) -> None:
    """Read windows of token ids with the model of a weights artifact, and write a file for each of its layers."""
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
            gc.collect()  # hooks and what they add to refer to each other


def embed(tensors: Any, window: Sequence[int]) -> torch.Tensor:
    """What the first layer is fed, (1, S, E); the table stays where it is, in the file."""
    tokens, positions = (tensors.get_tensor(f"transformer.{name}.weight") for name in ("wte", "wpe"))
    fed: torch.Tensor = tokens[torch.tensor(window)] + positions[: len(window)]
    return fed[None]


def open_layer(config: GPT2Config, tensors: Any, number: int) -> Layer:
    """A block with the weights where they lie in the file."""
    with torch.device("meta"):
        block = GPT2Block(config, number).eval()  # type: ignore[no-untyped-call]
    prefix = f"transformer.h.{number}."
    block.load_state_dict({name: tensors.get_tensor(prefix + name) for name in block.state_dict()}, assign=True)
    return Layer(f"h.{number}", block)
