"""Builds what a session is fed: tokens, their positions, and the keys and values of the tokens before them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from gpt2forge.graph.interface import (
    ATTENTION_MASK,
    INPUT_IDS,
    LOGITS,
    LOGITS_TO_KEEP,
    POSITION_IDS,
    count_layers,
    past_names,
    present_names,
)

Array = np.ndarray[Any, Any]
Cache = dict[str, Array]
"""Keys and values by the names of the graph's inputs, (B, H, P, D) each."""

CACHE_TYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int8)": np.int8,
}


@dataclass(frozen=True)
class CacheShape:
    """The layers, the heads per layer, the width of a head and the number type of a session's keys and values."""

    layers: int
    heads: int
    width: int
    dtype: type[np.generic] = np.float32

    def empty(self, batch: int) -> Cache:
        """Return the cache before the first token, with P = 0."""
        names = [name for layer in range(self.layers) for name in past_names(layer)]
        return {name: np.zeros((batch, self.heads, 0, self.width), self.dtype) for name in names}


def read_cache_shape(session: ort.InferenceSession) -> CacheShape:
    """Read the shape and type of a session's cache from its inputs."""
    inputs = {value.name: value for value in session.get_inputs()}
    cache = inputs[past_names(0)[0]]
    _, heads, _, width = cache.shape
    return CacheShape(count_layers(inputs.values()), heads, width, CACHE_TYPES[cache.type])


def make_feeds(
    input_ids: Array, past: Mapping[str, Array], attention_mask: Array | None = None, logits_to_keep: int = 0
) -> dict[str, Array]:
    """Return all inputs of a session, from `input_ids` (B, S), `attention_mask` (B, T) and `past` by input name.

    The default mask is all ones. The position of a token is the number of unmasked tokens before it.
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
    """Run a session; return the logits (B, K, V) and the cache to feed with the next tokens."""
    shape = read_cache_shape(session)
    names = [name for layer in range(shape.layers) for name in present_names(layer)]
    logits, *presents = session.run([LOGITS, *names], dict(feeds))
    pasts = [name for layer in range(shape.layers) for name in past_names(layer)]
    return logits, dict(zip(pasts, presents, strict=True))


def make_value(array: Array) -> ort.OrtValue:
    """Return a value of onnxruntime in the memory of a contiguous array, which it keeps alive."""
    return ort.OrtValue.ortvalue_from_numpy(array)
