"""What is fed to a session: tokens, their positions, and the keys and values so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from gpt2forge.graph.interface import (
    ATTENTION_MASK,
    INPUT_IDS,
    LOGITS_TO_KEEP,
    POSITION_IDS,
    count_layers,
    past_names,
    present_names,
)

Array = np.ndarray[Any, Any]
Cache = dict[str, Array]
"""Keys and values by the names of the graph's inputs, (B, H, P, D) each."""


@dataclass(frozen=True)
class CacheShape:
    """How many layers, heads and numbers a head a session's keys and values have."""

    layers: int
    heads: int
    width: int

    def empty(self, batch: int) -> Cache:
        """The cache before the first token, P = 0."""
        names = [name for layer in range(self.layers) for name in past_names(layer)]
        return {name: np.zeros((batch, self.heads, 0, self.width), np.float32) for name in names}


def read_cache_shape(session: ort.InferenceSession) -> CacheShape:
    """Ask a session for the shape of its cache."""
    shapes = {value.name: value.shape for value in session.get_inputs()}
    _, heads, _, width = shapes[past_names(0)[0]]
    return CacheShape(count_layers(shapes), heads, width)


def make_feeds(
    input_ids: Array, past: Mapping[str, Array], attention_mask: Array | None = None, logits_to_keep: int = 0
) -> dict[str, Array]:
    """Everything a session takes: `input_ids` (B, S), `attention_mask` (B, T; default all ones), `past` by input name.

    A token's position counts the tokens before it that the mask does not leave out.
    """
    batch, new = input_ids.shape
    if attention_mask is None:
        total = next(iter(past.values())).shape[2] + new
        attention_mask = np.ones((batch, total), np.int64)
    positions = np.maximum(np.cumsum(attention_mask, axis=1) - 1, 0)[:, -new:]  # (B, S)
    return {
        INPUT_IDS: input_ids.astype(np.int64),
        ATTENTION_MASK: attention_mask.astype(np.int64),
        POSITION_IDS: positions.astype(np.int64),
        LOGITS_TO_KEEP: np.array([logits_to_keep], np.int64),
        **past,
    }


def run(session: ort.InferenceSession, feeds: Mapping[str, Array]) -> tuple[Array, Cache]:
    """Run a session; give the logits (B, K, V) and the cache to feed with the next tokens."""
    shape = read_cache_shape(session)
    names = [name for layer in range(shape.layers) for name in present_names(layer)]
    logits, *presents = session.run(["logits", *names], dict(feeds))
    pasts = [name for layer in range(shape.layers) for name in past_names(layer)]
    return logits, dict(zip(pasts, presents, strict=True))
