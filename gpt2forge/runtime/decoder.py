"""Runs a package token by token. It computes logits and chooses no token: see `generate`."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import onnxruntime as ort

from gpt2forge.errors import UserError
from gpt2forge.graph.interface import LOGITS, extends_in_place, find_many
from gpt2forge.graph.model_file import GRAPH_FILE, read_graph
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.growing_step import GrowingStep
from gpt2forge.runtime.in_place_step import InPlaceStep
from gpt2forge.runtime.rounding import FLOATS, Rounding, find_rounding, measure_rounding
from gpt2forge.runtime.session import open_package
from gpt2forge.runtime.step import Array, Step


@dataclass(frozen=True)
class Decoder:
    """An open package with its context length in tokens and its vocabulary size.

    `in_place`: its attention extends the cache in the memory that holds it. `arithmetic`: how far its logits depend on
    the number of tokens in a run, by its graph. `many`: from how many tokens on a run takes other products, which round
    otherwise; None if all runs take the same. `process`: the one that opened it.
    """

    session: ort.InferenceSession
    context: int
    vocabulary: int
    in_place: bool
    arithmetic: Rounding = FLOATS
    many: int | None = None
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

    @cached_property
    def rounding(self) -> Rounding:
        """Return how far the logits depend on the number of tokens in a run, here; the first call may try it."""
        return measure_rounding(self.arithmetic, self.start, self.vocabulary)

    def check_process(self) -> None:
        """Raise UserError in a process that was forked after the package was opened: it lacks the session's threads."""
        if os.getpid() != self.process:
            raise UserError(
                f"this model was opened in process {self.process}, and a process that is forked from it has none of "
                "its threads; load the model after the fork, or start processes by `spawn`"
            )


def open_decoder(folder: Path, threads: int = 0, file: str = GRAPH_FILE) -> Decoder:
    """Open the package in `folder`, whose graph is in `file`; 0 threads means one per core."""
    return describe_decoder(folder, open_package(folder, threads, file), file)


def describe_decoder(folder: Path, session: ort.InferenceSession, file: str = GRAPH_FILE) -> Decoder:
    """Return the decoder of a session that has opened the package in `folder`."""
    graph = read_graph(folder, file).graph
    positions = graph.initializers["wpe.weight"].shape
    logits = next(output.shape for output in graph.outputs if output.name == LOGITS)
    assert positions is not None and logits is not None and isinstance(logits[-1], int)
    return Decoder(
        session,
        context=positions.numpy()[0],
        vocabulary=logits[-1],
        in_place=extends_in_place(graph),
        arithmetic=find_rounding(graph),
        many=find_many(graph),
    )
