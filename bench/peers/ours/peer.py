"""gpt2forge, as `gpt2forge generate` runs what was built; `prepare` builds it anew, and measures nothing of it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from stepwise import Array, Stepwise, count_files

from gpt2forge.graph.decode import open_decoder
from gpt2forge.graph.feeds import read_cache_shape
from gpt2forge.graph.interface import (
    ATTENTION_MASK,
    INPUT_IDS,
    LOGITS,
    LOGITS_TO_KEEP,
    POSITION_IDS,
    past_names,
    present_names,
)


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    """`weights` is a recipe here, `scheme` what the command line says beside it, with what it is published as first."""
    name, *words = scheme.split("\n")
    command = [sys.executable, "-m", "gpt2forge", "build", str(weights), *words, "--skip", "verify,benchmark"]
    done = subprocess.run([*command, "--store", str(out / "store")], cwd=out, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return out / "build" / name


class Peer(Stepwise):
    def __init__(self, path: Path, threads: int) -> None:
        self.bytes = count_files(path, ".onnx_data")
        self.decoder = open_decoder(path, threads)

    def count_bytes(self) -> int:
        return self.bytes

    def begin(self, batch: int, capacity: int) -> None:
        self.batch = batch
        self.step = self.decoder.start(capacity) if batch == 1 else Batch(self.decoder, batch, capacity)

    def forward(self, ids: Array) -> Array:
        return self.step(ids[0])[None] if self.batch == 1 else self.step(ids)

    def read(self, tokens: list[int]) -> Array:
        return self.decoder.read(np.array([tokens]))[0]


class Batch:
    """Several texts of one length, with keys and values that are extended where they lie."""

    def __init__(self, decoder: Any, batch: int, capacity: int) -> None:
        self.session, self.binding, self.length = decoder.session, decoder.session.io_binding(), 0
        self.mask = np.ones((batch, capacity), np.int64)
        self.keep, self.logits = np.ones(1, np.int64), np.empty((batch, 1, decoder.vocabulary), np.float32)
        self.held: dict[str, Array] = {}
        shape = read_cache_shape(self.session)
        for layer in range(shape.layers):
            for past, present in zip(past_names(layer), present_names(layer), strict=True):
                cache = np.zeros((batch, shape.heads, capacity, shape.width), shape.dtype)
                self.feed(past, cache)
                self.bind(self.binding.bind_output, present, cache)
        self.feed(LOGITS_TO_KEEP, self.keep)
        self.bind(self.binding.bind_output, LOGITS, self.logits)

    def feed(self, name: str, array: Array) -> None:
        self.held[name] = array  # the binding knows where it lies and not that it is needed
        self.bind(self.binding.bind_input, name, array)

    def bind(self, how: Any, name: str, array: Array) -> None:
        how(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

    def __call__(self, ids: Array) -> Array:
        start, self.length = self.length, self.length + ids.shape[1]
        positions = np.broadcast_to(np.arange(start, self.length), ids.shape)
        self.feed(INPUT_IDS, np.ascontiguousarray(ids))
        self.feed(ATTENTION_MASK, np.ascontiguousarray(self.mask[:, : self.length]))
        self.feed(POSITION_IDS, np.ascontiguousarray(positions))
        self.session.run_with_iobinding(self.binding)
        return self.logits[:, 0]
