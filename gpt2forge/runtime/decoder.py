"""Runs a package token by token. It computes logits and chooses no token: see `generate`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort

from gpt2forge.errors import UserError
from gpt2forge.graph.interface import (
    ATTENTION_MASK,
    INPUT_IDS,
    LOGITS,
    LOGITS_TO_KEEP,
    POSITION_IDS,
    extends_in_place,
    past_names,
    present_names,
)
from gpt2forge.graph.model_file import read_graph
from gpt2forge.runtime.feeds import CacheShape, make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import open_package

Array = np.ndarray[Any, Any]

AT_ONCE = 2048  # tokens of prompts, with padding; attention holds a score for each of them, head and earlier token


class Step(Protocol):
    """Reads the next tokens of texts beside each other; it remembers all earlier ones."""

    def __call__(self, tokens: Array) -> Array:
        """Return the logits (B, V) after the last of the tokens (B, S)."""
        ...

    def read_prompts(self, prompts: Sequence[Sequence[int]]) -> Array:
        """Return the logits (B, V) after each of the first texts, which may differ in length."""
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Continue with the texts of these rows, in this order. A row may be named several times."""
        ...


@dataclass(frozen=True)
class Decoder:
    """An open package with its context length in tokens and its vocabulary size.

    `in_place`: its attention extends the cache in the memory that holds it. `process`: the one that opened it.
    """

    session: ort.InferenceSession
    context: int
    vocabulary: int
    in_place: bool
    process: int = field(default_factory=os.getpid)

    def read(self, tokens: Array, attention_mask: Array | None = None, last: int = 0) -> Array:
        """Return the logits (B, S, V) of tokens (B, S) without a past; the default mask (B, S) is all ones.

        `last`: of how many of the last tokens; 0 means all.
        Raises UserError in another process than the one that opened the package.
        """
        self.check_process()
        past = read_cache_shape(self.session).empty(len(tokens))
        return run(self.session, make_feeds(tokens, past, attention_mask, last))[0]

    def start(self, capacity: int, batch: int = 1) -> Step:
        """Return a step with an empty cache for at most `capacity` tokens of at most `batch` texts.

        Raises UserError in another process than the one that opened the package.
        """
        self.check_process()
        shape = read_cache_shape(self.session)
        if self.in_place:
            return InPlaceStep(self.session, shape, capacity, vocabulary=self.vocabulary, batch=batch)
        return GrowingStep(self.session, shape, batch)

    def check_process(self) -> None:
        """Raise UserError in a process that was forked after the package was opened: it lacks the session's threads."""
        if os.getpid() != self.process:
            raise UserError(
                f"this model was opened in process {self.process}, and a process that is forked from it has none of "
                "its threads; load the model after the fork, or start processes by `spawn`"
            )


def open_decoder(folder: Path, threads: int = 0) -> Decoder:
    """Open the package in `folder`; 0 threads means one per core."""
    return describe_decoder(folder, open_package(folder, threads))


def describe_decoder(folder: Path, session: ort.InferenceSession) -> Decoder:
    """Return the decoder of a session that has opened the package in `folder`."""
    graph = read_graph(folder).graph
    positions = graph.initializers["wpe.weight"].shape
    logits = next(output.shape for output in graph.outputs if output.name == LOGITS)
    assert positions is not None and logits is not None and isinstance(logits[-1], int)
    return Decoder(
        session,
        context=positions.numpy()[0],
        vocabulary=logits[-1],
        in_place=extends_in_place(graph),
    )


def pad_prompts(prompts: Sequence[Sequence[int]]) -> tuple[Array, Array]:
    """Return prompts as tokens (B, S), with zeros before the shorter ones, and the number of those zeros, (B,)."""
    longest = max(len(prompt) for prompt in prompts)
    padding = np.array([longest - len(prompt) for prompt in prompts], np.int64)
    return np.stack([np.pad(prompt, (longest - len(prompt), 0)) for prompt in prompts]).astype(np.int64), padding


class InPlaceStep:
    """A step that keeps keys and values in arrays of a fixed capacity, each bound both as past and as present.

    So nothing is copied. Binding the small inputs of a step costs a few microseconds beside the run itself. `rows` is
    how many texts there are; they have the first rows of every array.
    """

    def __init__(
        self, session: ort.InferenceSession, shape: CacheShape, capacity: int, vocabulary: int, batch: int = 1
    ) -> None:
        self.session = session
        self.binding = session.io_binding()
        self.length = 0
        self.mask = np.ones((batch, capacity), np.int64)
        self.positions = np.tile(np.arange(capacity), (batch, 1))
        self.logits = np.empty((batch, 1, vocabulary), np.float32)
        self.keep = np.ones(1, np.int64)
        size = (batch, shape.heads, capacity, shape.width)
        self.cache = [np.zeros(size, shape.dtype) for _ in range(2 * shape.layers)]
        self.names = [
            pair for layer in range(shape.layers) for pair in zip(past_names(layer), present_names(layer), strict=True)
        ]
        self.token, self.position = np.zeros((batch, 1), np.int64), np.zeros((batch, 1), np.int64)
        self.bind_input(LOGITS_TO_KEEP, self.keep)
        self.bind_rows(0, batch)

    def bind_rows(self, first: int, end: int) -> None:
        """Bind the cache and the logits of these rows, which the next run computes."""
        self.first, self.end = first, end
        for (past, present), array in zip(self.names, self.cache, strict=True):
            self.bind_input(past, array[first:end])
            self.bind_output(present, array[first:end])
        self.bind_output(LOGITS, self.logits[first:end])
        self.has_bound_token = False

    def bind_input(self, name: str, array: Array) -> None:
        """Bind an input to the memory of an array, which must live as long as the binding."""
        self.binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def bind_output(self, name: str, array: Array) -> None:
        """Bind an output to the memory of an array, which must live as long as the binding."""
        self.binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def __call__(self, tokens: Array) -> Array:
        start, self.length = self.length, self.length + tokens.shape[1]
        self.run(tokens, start)
        last: Array = self.logits[self.first : self.end, 0]
        return last

    def run(self, tokens: Array, start: int) -> None:
        """Read tokens (B, S) of the bound rows behind `start` earlier ones."""
        rows, end = slice(self.first, self.end), start + tokens.shape[1]
        mask = np.ascontiguousarray(self.mask[rows, :end])
        positions = self.positions[rows, start:end]
        if tokens.shape[1] == 1:
            self.bind_token()
            self.token[rows], self.position[rows] = tokens, positions
        else:
            tokens, positions = np.ascontiguousarray(tokens, np.int64), np.ascontiguousarray(positions)
            self.bind_input(INPUT_IDS, tokens)
            self.bind_input(POSITION_IDS, positions)
            self.has_bound_token = False
        self.bind_input(ATTENTION_MASK, mask)
        self.session.run_with_iobinding(self.binding)

    def bind_token(self) -> None:
        """Bind the memory of one token for each row, which all steps of one token share."""
        if not self.has_bound_token:
            self.bind_input(INPUT_IDS, self.token[self.first : self.end])
            self.bind_input(POSITION_IDS, self.position[self.first : self.end])
            self.has_bound_token = True

    def read_prompts(self, prompts: Sequence[Sequence[int]]) -> Array:
        """Read the texts at once if they are few and short; else one by one, without the padding."""
        tokens, padding = pad_prompts(prompts)
        count, self.length = tokens.shape
        self.mask[:count] = np.arange(self.mask.shape[1]) >= padding[:, None]
        self.positions[:count] = np.maximum(np.arange(self.mask.shape[1]) - padding[:, None], 0)
        if tokens.size <= AT_ONCE:
            self.bind_rows(0, count)
            self.run(tokens, start=0)
        else:
            for row in range(count):
                self.bind_rows(row, row + 1)
                self.run(tokens[row : row + 1, padding[row] :], start=int(padding[row]))
            self.bind_rows(0, count)
        last: Array = self.logits[:count, 0]
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


class GrowingStep:
    """A step that feeds the keys and values of one run to the next, for graphs whose attention returns new arrays."""

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

    def __call__(self, tokens: Array) -> Array:
        start, self.length = self.length, self.length + tokens.shape[1]
        places = np.arange(self.length) - self.padding[:, None]  # (B, T)
        feeds = {
            INPUT_IDS: np.ascontiguousarray(tokens),
            ATTENTION_MASK: (places >= 0).astype(np.int64),
            POSITION_IDS: np.ascontiguousarray(np.maximum(places, 0)[:, start:]),
            LOGITS_TO_KEEP: np.ones(1, np.int64),
        }
        values = {name: make_value(array) for name, array in feeds.items()}
        logits, *presents = self.session.run_with_ort_values(self.outputs, values | self.cache)
        self.cache = dict(zip(self.cache, presents, strict=True))
        last: Array = logits.numpy()[:, 0]
        return last

    def read_prompts(self, prompts: Sequence[Sequence[int]]) -> Array:
        """Read the texts at once, with the padding."""
        tokens, padding = pad_prompts(prompts)
        self.start(padding)
        return self(tokens)

    def select(self, rows: Sequence[int]) -> None:
        """Copy the rows."""
        self.padding = self.padding[rows]
        self.cache = {name: make_value(value.numpy()[rows]) for name, value in self.cache.items()}


def make_value(array: Array) -> ort.OrtValue:
    return ort.OrtValue.ortvalue_from_numpy(array)
