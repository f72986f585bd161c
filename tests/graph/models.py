"""Tiny random GPT-2s with weights that are not trivial: biases and layer norm gains too."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from gpt2forge.graph.files import write_graph
from gpt2forge.graph.gpt2 import build_graph
from gpt2forge.model.config import read_config
from gpt2forge.model.weights import read_header


@dataclass(frozen=True)
class Shape:
    """The numbers of a tiny GPT-2."""

    vocabulary: int = 101
    positions: int = 48
    heads: int = 3
    head_width: int = 8
    layers: int = 2
    inner: int | None = None
    tied: bool = True


def make_model(folder: Path, shape: Shape, seed: int = 0) -> GPT2LMHeadModel:
    """Save a random model to `folder` (config.json, model.safetensors) and give it."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=shape.vocabulary,
        n_positions=shape.positions,
        n_embd=shape.heads * shape.head_width,
        n_head=shape.heads,
        n_layer=shape.layers,
        n_inner=shape.inner,
        tie_word_embeddings=shape.tied,
        bos_token_id=shape.vocabulary - 1,
        eos_token_id=shape.vocabulary - 1,
        attn_implementation="eager",
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            gain = 1.0 if name.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight")) else 0.0
            weight.copy_(gain + 0.3 * torch.randn_like(weight))
    model.save_pretrained(folder)
    return model


def export(weights: Path, out: Path) -> Path:
    """Write the unfused graph of the model in `weights`."""
    out.mkdir(parents=True, exist_ok=True)
    write_graph(build_graph(read_config(weights), read_header(weights / "model.safetensors")), out)
    return out


def torch_logits(model: GPT2LMHeadModel, ids: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """What transformers says, (B, S, V)."""
    mask = np.ones_like(ids) if mask is None else mask
    positions = np.maximum(np.cumsum(mask, axis=1) - 1, 0)
    with torch.no_grad():
        return model(
            input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask), position_ids=torch.tensor(positions)
        ).logits.numpy()
