"""A step for graphs whose attention extends keys and values in the memory that holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

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
from gpt2forge.runtime.feeds import CacheShape, make_value
from gpt2forge.runtime.step import Array, Step, pad_prompts

AT_ONCE = 2048  # tokens of prompts, with padding; attention holds a score for each of them, head and earlier token
FEW = 16  # tokens of a run that is no prompt


@dataclass
class Slots:
    """The memory of a run of S tokens that keeps the logits of the last K, which stays bound while runs are alike."""

    tokens: Array  # (B, S)
    positions: Array  # (B, S)
    logits: Array  # (B, K, V)

    def __post_init__(self) -> None:
        self.inputs = [
            (INPUT_IDS, make_value(self.tokens)),
            (POSITION_IDS, make_value(self.positions)),
            (LOGITS_TO_KEEP, make_value(np.array([self.logits.shape[1]]))),
        ]
        self.output = make_value(self.logits)
        self.last = self.logits[:, -1]  # (B, V)
        self.is_single = self.tokens.shape[1] == 1

    def bind(self, binding: ort.IOBinding) -> None:
        for name, value in self.inputs:
            binding.bind_ortvalue_input(name, value)
        binding.bind_ortvalue_output(LOGITS, self.output)


class InPlaceStep(Step):
    """A step that keeps keys and values in arrays of a fixed capacity, each bound both as past and as present.

    So nothing is copied. What a step of one token needs stays bound, but for the mask, which grows. `rows` are those of
    the texts in every array; they are the first ones, but while prompts are read one by one.
    """

    def __init__(
        self, session: ort.InferenceSession, shape: CacheShape, capacity: int, vocabulary: int, batch: int = 1
    ) -> None:
        self.session = session
        self.binding = session.io_binding()
        self.length = 0
        self.vocabulary = vocabulary
        self.is_padded = False
        self.mask = np.ones((batch, capacity), np.int64)
        self.positions = np.tile(np.arange(capacity), (batch, 1))
        size = (batch, shape.heads, capacity, shape.width)
        self.cache = [np.zeros(size, shape.dtype) for _ in range(2 * shape.layers)]
        self.names = [
            pair for layer in range(shape.layers) for pair in zip(past_names(layer), present_names(layer), strict=True)
        ]
        self.bind_rows(0, batch)

    def bind_rows(self, first: int, end: int) -> None:
        """Bind the cache of these rows, which the next run computes."""
        self.rows, self.has_one_row = slice(first, end), end - first == 1
        self.slots: dict[tuple[int, int], Slots] = {}
        self.bound: Slots | None = None
        for (past, present), array in zip(self.names, self.cache, strict=True):
            value = make_value(array[first:end])
            self.binding.bind_ortvalue_input(past, value)
            self.binding.bind_ortvalue_output(present, value)

    def bind_slots(self, count: int, kept: int) -> Slots:
        """Bind memory for `count` tokens and the logits after the last `kept`, unless it is bound."""
        slots = self.slots.get((count, kept)) or self.make_slots(count, kept)
        if slots is not self.bound:
            slots.bind(self.binding)
            self.bound = slots
        return slots

    def make_slots(self, count: int, kept: int) -> Slots:
        """Make memory that later runs of this size share; a prompt's is not kept."""
        batch = self.rows.stop - self.rows.start
        tokens, positions = np.empty((2, batch, count), np.int64)
        slots = Slots(tokens, positions, np.empty((batch, kept, self.vocabulary), np.float32))
        if count <= FEW:
            self.slots[count, kept] = slots
        return slots

    def add(self, tokens: Sequence[int]) -> Array:
        """Return the logits (B, V) after one more token of each text; what is bound stays bound."""
        slots = self.bound if self.bound is not None and self.bound.is_single else self.bind_slots(1, 1)
        if self.has_one_row:  # assigning one number takes a third of the time
            slots.tokens[0, 0] = tokens[0]
            slots.positions[0, 0] = self.positions[self.rows.start, self.length]
        else:
            slots.tokens[:, 0] = tokens
            slots.positions[:, 0] = self.positions[self.rows, self.length]
        self.length += 1
        self.run_slots(self.length)
        return slots.last

    def read(self, tokens: Array, kept: int) -> Array:
        start, self.length = self.length, self.length + tokens.shape[1]
        return self.run(tokens, start, kept)

    def run(self, tokens: Array, start: int, kept: int) -> Array:
        """Read tokens (B, S) of the bound rows behind `start` earlier ones."""
        count = tokens.shape[1]
        slots = self.bind_slots(count, kept)
        slots.tokens[:] = tokens
        slots.positions[:] = self.positions[self.rows, start : start + count]
        self.run_slots(start + count)
        return slots.logits

    def run_slots(self, total: int) -> None:
        """Run what is bound, with a mask of `total` tokens."""
        self.binding.bind_ortvalue_input(ATTENTION_MASK, self.make_mask(total))
        self.session.run_with_iobinding(self.binding)

    def make_mask(self, total: int) -> ort.OrtValue:
        """Return the mask (B, T) of the bound rows; that of one row without padding is made once for all steps."""
        if self.has_one_row and not self.is_padded:
            return make_full_mask(total)
        return make_value(np.ascontiguousarray(self.mask[self.rows, :total]))

    def read_prompts(self, prompts: Sequence[Sequence[int]]) -> Array:
        """Read the texts at once if they are few and short; else one by one, without the padding."""
        tokens, padding = pad_prompts(prompts)
        count, self.length = tokens.shape
        self.is_padded = bool(padding.any())
        self.mask[:count] = np.arange(self.mask.shape[1]) >= padding[:, None]
        self.positions[:count] = np.maximum(np.arange(self.mask.shape[1]) - padding[:, None], 0)
        if tokens.size <= AT_ONCE:
            return self.read_rows(0, count, tokens, start=0)
        last = [
            self.read_rows(row, row + 1, tokens[row : row + 1, padding[row] :], start=int(padding[row]))
            for row in range(count)
        ]
        self.bind_rows(0, count)
        return np.concatenate(last)

    def read_rows(self, first: int, end: int, tokens: Array, start: int) -> Array:
        """Return the logits (B, V) after the last of the tokens (B, S) of these rows, behind `start` earlier ones."""
        self.bind_rows(first, end)
        last: Array = self.run(tokens, start, kept=1)[:, 0]
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

    def save(self) -> list[Array]:
        return [array[:1, :, : self.length].copy() for array in self.cache]

    def load(self, past: Sequence[Array]) -> None:
        self.length = past[0].shape[2]
        for array, kept in zip(self.cache, past, strict=True):
            array[:1, :, : self.length] = kept
        self.bind_rows(0, 1)

    def forget(self, count: int) -> None:
        """Let the next tokens overwrite the last ones."""
        self.length -= count


@lru_cache(maxsize=1 << 14)
def make_full_mask(total: int) -> ort.OrtValue:
    """Return a mask (1, T) of ones. Masks share their memory, up to the next power of two."""
    return make_value(make_ones(1 << (total - 1).bit_length())[:, :total])


@lru_cache
def make_ones(total: int) -> Array:
    return np.ones((1, total), np.int64)
