"""Makes tiny random GPT-2s and computes their logits in PyTorch. Biases and layer norm gains are random too."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

pytest.importorskip("torch")

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from gpt2forge.checkpoint.config import read_config
from gpt2forge.checkpoint.safetensors import read_header
from gpt2forge.graph.edit import GraphError
from gpt2forge.graph.gpt2 import build_graph
from gpt2forge.graph.model_file import read_graph, write_graph
from gpt2forge.graph.passes.fusion import fuse
from gpt2forge.runtime.session import open_graph

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Shape:
    """The configuration of a tiny GPT-2."""

    vocabulary: int = 101
    positions: int = 48
    heads: int = 3
    head_width: int = 8
    layers: int = 2
    inner: int | None = None
    tied: bool = True
    activation: str = "gelu_new"
    epsilon: float = 1e-5
    scaled: bool = True
    scaled_by_layer: bool = False
    upcast: bool = False


@dataclass(frozen=True)
class Tiny:
    """A random model in PyTorch, its weights artifact and its unfused graph artifact."""

    model: GPT2LMHeadModel
    shape: Shape
    weights: Path
    graph: Path

    def open(self) -> ort.InferenceSession:
        """Open the unfused graph."""
        return open_graph(self.graph, self.weights, threads=1)

    def fuse(self, folder: Path, names: Collection[str]) -> ort.InferenceSession:
        """Apply passes to the graph, write it into `folder` and open it."""
        model = read_graph(self.graph)
        fuse(model, names)
        folder.mkdir(parents=True, exist_ok=True)
        write_graph(model, folder)
        return open_graph(folder, self.weights, threads=1)

    def ids(self, *shape: int, seed: int = 0) -> Array:
        """Return random tokens of this shape."""
        return np.random.default_rng(seed).integers(0, self.shape.vocabulary, shape)


def make_tiny(folder: Path, shape: Shape) -> Tiny:
    """Make a random model and export it."""
    model = make_model(folder / "weights", shape)
    return Tiny(model, shape, folder / "weights", export(folder / "weights", folder / "graph"))


def make_model(folder: Path, shape: Shape, seed: int = 0) -> GPT2LMHeadModel:
    """Make a random model and save it to `folder` (config.json, model.safetensors)."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=shape.vocabulary,
        n_positions=shape.positions,
        n_embd=shape.heads * shape.head_width,
        n_head=shape.heads,
        n_layer=shape.layers,
        n_inner=shape.inner,
        tie_word_embeddings=shape.tied,
        activation_function=shape.activation,
        layer_norm_epsilon=shape.epsilon,
        scale_attn_weights=shape.scaled,
        scale_attn_by_inverse_layer_idx=shape.scaled_by_layer,
        reorder_and_upcast_attn=shape.upcast,
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


def torch_logits(model: GPT2LMHeadModel, ids: Array, mask: Array | None = None) -> Array:
    """Return the logits (B, S, V) of transformers."""
    mask = np.ones_like(ids) if mask is None else mask
    positions = np.maximum(np.cumsum(mask, axis=1) - 1, 0)
    with torch.no_grad():
        logits = model(
            input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask), position_ids=torch.tensor(positions)
        ).logits
    return np.asarray(logits.numpy())


def pad_left(rows: list[Array]) -> tuple[Array, Array]:
    """Return rows of different lengths as `input_ids` and `attention_mask`, (B, S) each."""
    longest = max(len(row) for row in rows)
    ids = np.stack([np.pad(row, (longest - len(row), 0)) for row in rows])
    mask = np.stack([np.pad(np.ones(len(row), np.int64), (longest - len(row), 0)) for row in rows])
    return ids, mask


def distance(logits: Array, reference: Array) -> float:
    """Return the largest difference as a fraction of the spread of the reference."""
    assert logits.shape == reference.shape
    return float(np.abs(logits - reference).max() / np.ptp(reference))


def refuse(rewrite: Callable[[ir.Model], None], model: ir.Model) -> str:
    """Return the message of the GraphError that the rewrite of this model raises."""
    with pytest.raises(GraphError) as error:
        rewrite(model)
    return str(error.value)
