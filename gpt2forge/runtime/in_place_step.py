"""A step for graphs whose attention extends keys and values in the memory that holds them."""

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort

from gpt2forge.graph.interface import (
    ATTENTION_MASK,
    INPUT_IDS,
    LOGITS,
    LOGITS_TO_KEEP,
    POSITION_IDS,
    past_names,
    present_names,
)
from gpt2forge.runtime.feeds import CacheShape
from gpt2forge.runtime.step import Array, pad_prompts

AT_ONCE = 2048  # tokens of prompts, with padding; attention holds a score for each of them, head and earlier token


class InPlaceStep:
    """A step that keeps keys and values in arrays of a fixed capacity, each bound both as past and as present.

    So nothing is copied. What a step of one token needs stays bound, but for the mask, which grows. `rows` is how many
    texts there are; they have the first rows of every array.
    """

    def __init__(
        self, session: ort.InferenceSession, shape: CacheShape, capacity: int, vocabulary: int, batch: int = 1
    ) -> None:
        self.session = session
        self.binding = session.io_binding()
        self.length = 0
        self.vocabulary = vocabulary
        self.mask = np.ones((batch, capacity), np.int64)
        self.positions = np.tile(np.arange(capacity), (batch, 1))
        self.keep = np.ones(1, np.int64)
        self.memory = np.empty(0, np.float32)
        size = (batch, shape.heads, capacity, shape.width)
        self.cache = [np.zeros(size, shape.dtype) for _ in range(2 * shape.layers)]
        self.names = [
            pair for layer in range(shape.layers) for pair in zip(past_names(layer), present_names(layer), strict=True)
        ]
        self.token, self.position = np.zeros((batch, 1), np.int64), np.zeros((batch, 1), np.int64)
        # `bind_cpu_input` does not know inputs that need not be fed.
        self.binding.bind_input(LOGITS_TO_KEEP, "cpu", 0, np.int64, self.keep.shape, self.keep.ctypes.data)
        self.bind_rows(0, batch)

    def bind_rows(self, first: int, end: int) -> None:
        """Bind the cache of these rows, which the next run computes."""
        self.rows, self.size = slice(first, end), end - first
        for (past, present), array in zip(self.names, self.cache, strict=True):
            self.bind_input(past, array[first:end])
            self.bind_output(present, array[first:end])
        self.kept = 0
        self.has_bound_token = False

    def bind_input(self, name: str, array: Array) -> None:
        """Bind an input to the memory of an array."""
        self.binding.bind_cpu_input(name, array)

    def bind_output(self, name: str, array: Array) -> None:
        """Bind an output to the memory of an array, which must live as long as the binding."""
        self.binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def bind_logits(self, kept: int) -> None:
        """Bind memory for the logits after the last `kept` tokens, unless it is bound."""
        if kept == self.kept:
            return
        length = self.size * kept * self.vocabulary
        if length > len(self.memory):
            self.memory = np.empty(length, np.float32)
        self.logits = self.memory[:length].reshape(self.size, kept, self.vocabulary)
        self.bind_output(LOGITS, self.logits)
        self.keep[0] = self.kept = kept

    def __call__(self, tokens: Array) -> Array:
        last: Array = self.read(tokens, kept=1)[:, 0]
        return last

    def read_each(self, tokens: Array) -> Array:
        return self.read(tokens, kept=tokens.shape[1])

    def read(self, tokens: Array, kept: int) -> Array:
        """Return the logits (B, K, V) after the last K = `kept` of the tokens (B, S)."""
        start, self.length = self.length, self.length + tokens.shape[1]
        self.bind_logits(kept)
        self.run(tokens, start)
        return self.logits

    def run(self, tokens: Array, start: int) -> None:
        """Read tokens (B, S) of the bound rows behind `start` earlier ones."""
        end = start + tokens.shape[1]
        positions = self.positions[self.rows, start:end]
        if tokens.shape[1] == 1:
            self.bind_token()
            self.token[self.rows], self.position[self.rows] = tokens, positions
        else:
            self.bind_input(INPUT_IDS, np.ascontiguousarray(tokens, np.int64))
            self.bind_input(POSITION_IDS, np.ascontiguousarray(positions))
            self.has_bound_token = False
        self.bind_input(ATTENTION_MASK, np.ascontiguousarray(self.mask[self.rows, :end]))
        self.session.run_with_iobinding(self.binding)

    def bind_token(self) -> None:
        """Bind the memory of one token for each row, which all steps of one token share."""
        if not self.has_bound_token:
            self.bind_input(INPUT_IDS, self.token[self.rows])
            self.bind_input(POSITION_IDS, self.position[self.rows])
            self.has_bound_token = True

    def read_prompts(self, prompts: Sequence[Sequence[int]]) -> Array:
        """Read the texts at once if they are few and short; else one by one, without the padding."""
        tokens, padding = pad_prompts(prompts)
        count, self.length = tokens.shape
        self.mask[:count] = np.arange(self.mask.shape[1]) >= padding[:, None]
        self.positions[:count] = np.maximum(np.arange(self.mask.shape[1]) - padding[:, None], 0)
        if tokens.size <= AT_ONCE:
            return self.read_rows(0, count, tokens, start=0)
        last = [
            self.read_rows(row, row + 1, tokens[row : row + 1, padding[row] :], start=int(padding[row])).copy()
            for row in range(count)
        ]
        self.bind_rows(0, count)
        return np.concatenate(last)

    def read_rows(self, first: int, end: int, tokens: Array, start: int) -> Array:
        """Return the logits (B, V) after the last of the tokens (B, S) of these rows, behind `start` earlier ones."""
        self.bind_rows(first, end)
        self.bind_logits(1)
        self.run(tokens, start)
        last: Array = self.logits[:, 0]
        return last

    def select(self, rows: Sequence[int]) -> None:
        """Copy the rows that change their place, and no others."""
        places = [place for place, row in enumerate(rows) if place != row]
        if places:
            sources = [rows[place] for place in places]
            for array in (self.mask, self.positions):
                array[places] = array[sources]
            for array in self.cache:
                array[places, :, : self.length] = array[sources, :, : self.length]
        self.bind_rows(0, len(rows))

    def forget(self, count: int) -> None:
        """Let the next tokens overwrite the last ones."""
        self.length -= count
