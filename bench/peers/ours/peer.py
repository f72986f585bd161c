"""gpt2forge, as `gpt2forge generate` runs what was built; `prepare` builds it anew, and measures nothing of it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from stepwise import Array, Stepwise, count_files

from gpt2forge.runtime.decoder import open_decoder


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
        self.step = self.decoder.start(capacity, batch)

    def forward(self, ids: Array) -> Array:
        return self.step(ids)

    def read(self, tokens: list[int]) -> Array:
        return self.decoder.read(np.array([tokens]))[0]
