"""Computes the logits of a short text as OpenAI's model.py does, with numpy, one layer's weights at a time.

https://github.com/openai/gpt-2/blob/master/src/model.py
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt2forge.checkpoint.config import ModelConfig
from gpt2forge.checkpoint.contents import Contents, SourceTensor
from gpt2forge.checkpoint.derive_tensors import list_values
from gpt2forge.checkpoint.names import PREFIX

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Weights:
    """The tensors of a model by name, which are mapped where the file holds them as they are."""

    tensors: Mapping[str, SourceTensor]

    def load(self, name: str) -> Array:
        return np.asarray(list_values(self.tensors[PREFIX + name])(), np.float32)

    def apply(self, name: str, states: Array) -> Array:
        """Return what a linear layer makes of states (S, in): (S, out)."""
        return np.asarray(states @ self.load(f"{name}.weight") + self.load(f"{name}.bias"))

    def normalize(self, name: str, states: Array, epsilon: float) -> Array:
        """Return the states (S, D) after a layer norm."""
        centred = states - states.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + epsilon)
        return np.asarray(scaled * self.load(f"{name}.weight") + self.load(f"{name}.bias"))


def compute_logits(contents: Contents, texts: Sequence[Sequence[int]]) -> list[Array]:
    """Return the logits (S, V) of each text of S tokens. The weights are read once for all texts."""
    weights, config = Weights({tensor.name: tensor for tensor in contents.tensors}), contents.config
    lengths = [len(text) for text in texts]
    embedding, positions = weights.load("wte.weight"), weights.load("wpe.weight")
    states = np.concatenate([embedding[list(text)] + positions[: len(text)] for text in texts])  # (all S, D)
    for number in range(config.n_layer):
        name = f"h.{number}"
        normed = weights.normalize(f"{name}.ln_1", states, config.layer_norm_epsilon)
        mixed = attend(weights.apply(f"{name}.attn.c_attn", normed), lengths, config)
        states = states + weights.apply(f"{name}.attn.c_proj", mixed)
        normed = weights.normalize(f"{name}.ln_2", states, config.layer_norm_epsilon)
        states = states + weights.apply(f"{name}.mlp.c_proj", gelu(weights.apply(f"{name}.mlp.c_fc", normed)))
    logits = weights.normalize("ln_f", states, config.layer_norm_epsilon) @ embedding.T  # (all S, V)
    return np.split(logits, np.cumsum(lengths)[:-1])


def attend(joined: Array, lengths: Sequence[int], config: ModelConfig) -> Array:
    """Return the mixed values (all S, D) of queries, keys and values (all S, 3 D), each text by itself."""
    mixed = []
    for part in np.split(joined, np.cumsum(lengths)[:-1]):
        heads = part.reshape(len(part), 3, config.n_head, config.head_width).transpose(1, 2, 0, 3)  # (3, H, S, W)
        queries, keys, values = heads
        scores = queries @ keys.transpose(0, 2, 1) / np.sqrt(config.head_width)  # (H, S, S)
        scores = np.where(np.tri(len(part), dtype=bool), scores, -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        mixed.append((shares @ values).transpose(1, 0, 2).reshape(len(part), -1))
    return np.concatenate(mixed)


def gelu(values: Array) -> Array:
    return np.asarray(0.5 * values * (1 + np.tanh(np.sqrt(2 / np.pi) * (values + 0.044715 * values**3))))
