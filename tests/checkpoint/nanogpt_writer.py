"""A GPT-2 with nanoGPT's names, layout and options, and its ckpt.pt, saved as nanoGPT's train.py saves it."""

import math
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn
from torch.nn import functional


class Norm(nn.Module):
    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, states: Tensor) -> Tensor:
        return functional.layer_norm(states, self.weight.shape, self.weight, self.bias, 1e-5)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.c_attn = nn.Linear(width, 3 * width, bias=bias)
        self.c_proj = nn.Linear(width, width, bias=bias)
        self.heads = heads

    def forward(self, states: Tensor) -> Tensor:
        batch, length, width = states.shape
        shape = (batch, length, self.heads, width // self.heads)
        query, key, value = (part.view(shape).transpose(1, 2) for part in self.c_attn(states).split(width, dim=2))
        scores = query @ key.transpose(-2, -1) / math.sqrt(shape[-1])
        mask = torch.ones(length, length).tril() == 0
        mixed = functional.softmax(scores.masked_fill(mask, -math.inf), dim=-1) @ value
        return self.c_proj(mixed.transpose(1, 2).reshape(states.shape))


class Mlp(nn.Module):
    def __init__(self, width: int, bias: bool, approximate: str) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width, bias=bias)
        self.gelu = nn.GELU(approximate)
        self.c_proj = nn.Linear(4 * width, width, bias=bias)

    def forward(self, states: Tensor) -> Tensor:
        return self.c_proj(self.gelu(self.c_fc(states)))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, bias: bool, approximate: str) -> None:
        super().__init__()
        self.ln_1, self.attn = Norm(width, bias), Attention(width, heads, bias)
        self.ln_2, self.mlp = Norm(width, bias), Mlp(width, bias, approximate)

    def forward(self, states: Tensor) -> Tensor:
        states = states + self.attn(self.ln_1(states))
        return states + self.mlp(self.ln_2(states))


class NanoGPT(nn.Module):
    """The model; `approximate` is `none` as in nanoGPT today, or `tanh` as before June 2023."""

    def __init__(self, bias: bool = True, vocab_size: int = 260, approximate: str = "none") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.args = {"n_layer": 2, "n_head": 2, "n_embd": 8, "block_size": 8, "bias": bias, "vocab_size": vocab_size}
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(vocab_size, 8),
            "wpe": nn.Embedding(8, 8),
            "h": nn.ModuleList([Block(8, 2, bias, approximate) for _ in range(2)]),
            "ln_f": Norm(8, bias),
        })  # fmt: skip
        self.lm_head = nn.Linear(8, vocab_size, bias=False)
        self.transformer["wte"].weight = self.lm_head.weight
        for weight in self.parameters():
            nn.init.normal_(weight, std=0.4)

    def forward(self, ids: Tensor) -> Tensor:
        states = self.transformer["wte"](ids) + self.transformer["wpe"](torch.arange(ids.shape[1]))
        for block in self.transformer["h"]:
            states = block(states)
        return self.lm_head(self.transformer["ln_f"](states))


def train(model: NanoGPT) -> torch.optim.AdamW:
    """Take one step, so that the optimizer has a state."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    functional.cross_entropy(model(torch.arange(8)[None])[0], torch.arange(8)).backward()
    optimizer.step()
    return optimizer


def write_nanogpt(folder: Path, model: NanoGPT, prefix: str = "_orig_mod.", **changes: Any) -> Path:
    """Write ckpt.pt with everything that nanoGPT's train.py puts into it; `changes` are to `model_args`."""
    folder.mkdir(parents=True, exist_ok=True)
    args = {**model.args, "dropout": 0.0} | changes
    checkpoint = {
        "optimizer": train(model).state_dict(),
        "model": {prefix + name: values for name, values in model.state_dict().items()},
        "model_args": {key: value for key, value in args.items() if value != "absent"},
        "iter_num": 250,
        "best_val_loss": torch.tensor(1.5),
        "config": {"out_dir": "out", "learning_rate": 1e-3, "compile": True},
    }
    torch.save(checkpoint, folder / "ckpt.pt")
    return folder
