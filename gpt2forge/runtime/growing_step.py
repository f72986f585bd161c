"""A step for graphs whose attention returns new arrays of keys and values."""

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort

from gpt2forge.graph.interface import ATTENTION_MASK, INPUT_IDS, LOGITS, LOGITS_TO_KEEP, POSITION_IDS, present_names
from gpt2forge.runtime.feeds import CacheShape, make_value
from gpt2forge.runtime.step import Array, Step, pad_prompts


class GrowingStep(Step):
    """A step that feeds the keys and values of one run to the next."""

    def __init__(self, session: ort.InferenceSession, shape: CacheShape, batch: int = 1) -> None:
        self.session = session
        self.shape = shape
        self.outputs = [LOGITS, *(name for layer in range(shape.layers) for name in present_names(layer))]
        self.start(np.zeros(batch, np.int64))

    def start(self, padding: Array) -> None:
        """Forget all tokens; the texts that come are behind this much padding (B,)."""
        self.cache = {name: make_value(array) for name, array in self.shape.empty(len(padding)).items()}
        self.length = 0
        self.padding = padding

    def read(self, tokens: Array, kept: int) -> Array:
        start, self.length = self.length, self.length + tokens.shape[1]
        places = np.arange(self.length) - self.padding[:, None]  # (B, T)
        feeds = {
            INPUT_IDS: np.ascontiguousarray(tokens),
            ATTENTION_MASK: (places >= 0).astype(np.int64),
            POSITION_IDS: np.ascontiguousarray(np.maximum(places, 0)[:, start:]),
            LOGITS_TO_KEEP: np.array([kept], np.int64),
        }
        values = {name: make_value(array) for name, array in feeds.items()}
        logits, *presents = self.session.run_with_ort_values(self.outputs, values | self.cache)
        self.cache = dict(zip(self.cache, presents, strict=True))
        found: Array = logits.numpy()
        return found

    def read_prompts(self, prompts: Sequence[Sequence[int]]) -> Array:
        """Read the texts at once, with the padding."""
        tokens, padding = pad_prompts(prompts)
        self.start(padding)
        return self(tokens)

    def select(self, rows: Sequence[int]) -> None:
        """Copy the rows."""
        self.padding = self.padding[rows]
        self.cache = {name: make_value(value.numpy()[rows]) for name, value in self.cache.items()}

    def save(self) -> list[Array]:
        return [value.numpy() for value in self.cache.values()]

    def load(self, past: Sequence[Array]) -> None:
        self.start(np.zeros(1, np.int64))
        self.length = past[0].shape[2]
        self.cache = dict(zip(self.cache, (make_value(np.ascontiguousarray(kept)) for kept in past), strict=True))

    def forget(self, count: int) -> None:
        """Copy what stays."""
        if count:
            self.length -= count
            self.cache = {name: cut_value(value, self.length) for name, value in self.cache.items()}


def cut_value(value: ort.OrtValue, length: int) -> ort.OrtValue:
    """Return the keys or values (B, H, T, D) of the first `length` tokens."""
    return make_value(np.ascontiguousarray(value.numpy()[:, :, :length]))
