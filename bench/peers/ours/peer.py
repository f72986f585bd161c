"""gpt2forge, as `gpt2forge generate` runs a package; `prepare` builds it without measuring it."""

from pathlib import Path

import numpy as np

from bench.commands import BUILD, UNMEASURED, run_command
from bench.peers.stepwise import Array, Stepwise, count_files
from gpt2forge.runtime.decoder import open_decoder


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    """Build the recipe `weights`; `scheme` is the published name, then the other words of the command, a line each."""
    name, *words = scheme.split("\n")
    run_command([*BUILD, str(weights), *words, *UNMEASURED, "--store", str(out / "store")], out)
    return out / "build" / name


class Peer(Stepwise):
    def __init__(self, path: Path, threads: int) -> None:
        self.read_bytes = count_files(path, ".onnx_data")
        self.decoder = open_decoder(path, threads)

    def begin(self, batch: int, capacity: int) -> None:
        self.step = self.decoder.start(capacity, batch)

    def forward(self, ids: Array) -> Array:
        return self.step(ids)

    def read(self, tokens: list[int]) -> Array:
        return np.asarray(self.decoder.read(np.array([tokens]))[0])
