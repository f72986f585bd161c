"""Runs a package token by token."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from gpt2forge.runtime.sampling import Sampler
from gpt2forge.runtime.session import open_package

Array = np.ndarray[Any, Any]
Step = Callable[[Array], Array]
"""Takes the next tokens (B, S) and gives the logits (B, V) of the last ones; it remembers the tokens before."""


@dataclass(frozen=True)
class Decoder:
    """An open package. `context` tokens at most; `in_place`: its attention extends the cache where it lies."""

    session: ort.InferenceSession
    context: int
    vocabulary: int
    in_place: bool

    def generate(
        self, tokens: Sequence[int], max_tokens: int, sample: Sampler, stop_token: int | None = None
    ) -> Iterator[int]:
        """Give up to `max_tokens` new tokens after `tokens`, each as soon as it is known; `stop_token` ends it unseen.

        Raises UserError, before anything runs, when the prompt is empty, unknown to the model or too long.
        """
        self.check(tokens, max_tokens)
        return self.continue_text(np.array(tokens, np.int64), max_tokens, sample, stop_token)

    def check(self, tokens: Sequence[int], max_tokens: int) -> None:
        if not tokens:
            raise UserError("the prompt is empty; give at least one token")
        if not all(0 <= token < self.vocabulary for token in tokens):
            raise UserError(f"the prompt holds a token that is not among this model's {self.vocabulary}")
        if len(tokens) + max_tokens > self.context:
            room = self.context - len(tokens)
            fix = f"ask for at most {room} new ones" if room > 0 else "shorten the prompt"
            wanted = f"the prompt's {len(tokens)} tokens and {max_tokens} new ones"
            raise UserError(f"{wanted} are more than this model's {self.context}; {fix}")

    def continue_text(self, prompt: Array, max_tokens: int, sample: Sampler, stop_token: int | None) -> Iterator[int]:
        step = self.start(len(prompt) + max_tokens)
        following = prompt[None]
        for _ in range(max_tokens):
            token = sample(step(following)[0])
            if token == stop_token:
                return
            yield token
            following = np.array([[token]], np.int64)

    def read(self, tokens: Array, attention_mask: Array | None = None) -> Array:
        """The logits (B, S, V) of tokens (B, S) that follow nothing; the mask (B, S) is all ones unless given."""
        past = read_cache_shape(self.session).empty(len(tokens))
        return run(self.session, make_feeds(tokens, past, attention_mask))[0]

    def start(self, capacity: int, batch: int = 1) -> Step:
        """A step with an empty cache for at most `capacity` tokens of `batch` texts of one length."""
        shape = read_cache_shape(self.session)
        if self.in_place:
            return InPlaceStep(self.session, shape, capacity, self.vocabulary, batch)
        return GrowingStep(self.session, shape, batch)


def open_decoder(folder: Path, threads: int = 0) -> Decoder:
    """Open the package in `folder`; 0 threads: one for each core."""
    graph = read_graph(folder).graph
    positions = graph.initializers["wpe.weight"].shape
    logits = next(output.shape for output in graph.outputs if output.name == LOGITS)
    assert positions is not None and logits is not None and isinstance(logits[-1], int)
    return Decoder(open_package(folder, threads), positions.numpy()[0], logits[-1], extends_in_place(graph))


class InPlaceStep:
    """Keeps keys and values in arrays of a fixed capacity, bound as past and present at once, so that none is copied.

    What a step binds is small: one token costs some microseconds besides the run.
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
            self.read(past, array)
            self.write(present, array)
        self.write(LOGITS, self.logits)
        self.read(LOGITS_TO_KEEP, self.keep)

    def read(self, name: str, array: Array) -> None:
        """Let an input be this memory, which must live as long as the binding."""
        self.binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def write(self, name: str, array: Array) -> None:
        """Let an output go to this memory."""
        self.binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def __call__(self, tokens: Array) -> Array:
        start, self.length = self.length, self.length + tokens.shape[1]
        feeds = {
            INPUT_IDS: np.ascontiguousarray(tokens, np.int64),
            ATTENTION_MASK: np.ascontiguousarray(self.mask[:, : self.length]),
            POSITION_IDS: np.ascontiguousarray(self.positions[:, start : self.length]),
        }
        for name, array in feeds.items():
            self.read(name, array)
        self.session.run_with_iobinding(self.binding)
        last: Array = self.logits[:, 0]
        return last


class GrowingStep:
    """Feeds keys and values back as they come out, for graphs whose attention makes new ones each time."""

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
