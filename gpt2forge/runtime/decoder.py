"""Runs a package token by token. It computes logits and chooses no token: see `generate`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

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
Step = Callable[[Array], Array]
"""Takes the next tokens (B, S) and returns the logits (B, V) after the last one; it remembers all earlier tokens."""


@dataclass(frozen=True)
class Decoder:
    """An open package with its context length in tokens and its vocabulary size.

    `in_place`: its attention extends the cache in the memory that holds it.
    """

    session: ort.InferenceSession
    context: int
    vocabulary: int
    in_place: bool

    def read(self, tokens: Array, attention_mask: Array | None = None) -> Array:
        """Return the logits (B, S, V) of tokens (B, S) without a past; the default mask (B, S) is all ones."""
        past = read_cache_shape(self.session).empty(len(tokens))
        return run(self.session, make_feeds(tokens, past, attention_mask))[0]

    def start(self, capacity: int, batch: int = 1) -> Step:
        """Return a step with an empty cache for at most `capacity` tokens of `batch` texts of equal length."""
        shape = read_cache_shape(self.session)
        if self.in_place:
            return InPlaceStep(self.session, shape, capacity, vocabulary=self.vocabulary, batch=batch)
        return GrowingStep(self.session, shape, batch)


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


class InPlaceStep:
    """A step that keeps keys and values in arrays of a fixed capacity, each bound both as past and as present.

    So nothing is copied. Binding the small inputs of a step costs a few microseconds beside the run itself.
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
        names = [
            pair for layer in range(shape.layers) for pair in zip(past_names(layer), present_names(layer), strict=True)
        ]
        for (past, present), array in zip(names, self.cache, strict=True):
            self.bind_input(past, array)
            self.bind_output(present, array)
        self.bind_output(LOGITS, self.logits)
        self.bind_input(LOGITS_TO_KEEP, self.keep)

    def bind_input(self, name: str, array: Array) -> None:
        """Bind an input to the memory of an array, which must live as long as the binding."""
        self.binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def bind_output(self, name: str, array: Array) -> None:
        """Bind an output to the memory of an array, which must live as long as the binding."""
        self.binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def __call__(self, tokens: Array) -> Array:
        start, self.length = self.length, self.length + tokens.shape[1]
        feeds = {
            INPUT_IDS: np.ascontiguousarray(tokens, np.int64),
            ATTENTION_MASK: np.ascontiguousarray(self.mask[:, : self.length]),
            POSITION_IDS: np.ascontiguousarray(self.positions[:, start : self.length]),
        }
        for name, array in feeds.items():
            self.bind_input(name, array)
        self.session.run_with_iobinding(self.binding)
        last: Array = self.logits[:, 0]
        return last


class GrowingStep:
    """A step that feeds the keys and values of one run to the next, for graphs whose attention returns new arrays."""

    def __init__(self, session: ort.InferenceSession, shape: CacheShape, batch: int = 1) -> None:
        self.session = session
        self.outputs = [LOGITS, *(name for layer in range(shape.layers) for name in present_names(layer))]
        self.cache = {name: make_value(array) for name, array in shape.empty(batch).items()}
        self.length = 0

    def __call__(self, tokens: Array) -> Array:
        batch, count = tokens.shape
        start, self.length = self.length, self.length + count
        feeds = {
            INPUT_IDS: np.ascontiguousarray(tokens),
            ATTENTION_MASK: np.ones((batch, self.length), np.int64),
            POSITION_IDS: np.tile(np.arange(start, self.length), (batch, 1)),
            LOGITS_TO_KEEP: np.ones(1, np.int64),
        }
        values = {name: make_value(array) for name, array in feeds.items()}
        logits, *presents = self.session.run_with_ort_values(self.outputs, values | self.cache)
        self.cache = dict(zip(self.cache, presents, strict=True))
        last: Array = logits.numpy()[:, 0]
        return last


def make_value(array: Array) -> ort.OrtValue:
    return ort.OrtValue.ortvalue_from_numpy(array)
