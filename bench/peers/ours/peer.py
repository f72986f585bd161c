"""gpt2forge, as `gpt2forge generate` runs what was built; `prepare` builds it anew, and measures nothing of it."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from gpt2forge.measure.systems import Package, run_round


def prepare(weights: Path, out: Path, scheme: str) -> Path:
    """`weights` is a recipe here, `scheme` what it is published as; builds in an empty store of its own."""
    command = [sys.executable, "-m", "gpt2forge", "build", str(weights), "--skip", "verify,benchmark"]
    subprocess.run([*command, "--store", str(out / f"store-{scheme}")], cwd=out, check=True)
    return out / "build" / weights.stem


class Peer:
    def __init__(self, path: Path, threads: int, capacity: int) -> None:
        self.package = Package(path, threads, capacity)

    def run(self, prompt: list[int], new: int) -> dict[str, float]:
        turn = run_round(self.package, np.array(prompt), new)
        return {"prefill_ms": turn.prefill_ms, "token_ms": turn.token_ms}

    def write(self, prompt: list[int], new: int) -> list[int]:
        return run_round(self.package, np.array(prompt), new).text
