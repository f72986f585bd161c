"""`python -m gpt2forge.measure.pytorch_contestant`: the process that runs PyTorch, and measures the memory's speed."""

from functools import cache
from pathlib import Path

from gpt2forge.measure.bandwidth import Bandwidth
from gpt2forge.measure.contestant import serve_turns
from gpt2forge.pytorch.oracle import Oracle, load_model


def open_oracle(weights: Path, threads: int, capacity: int) -> Oracle:
    return Oracle(load_model(weights), threads)


@cache
def make_bandwidth(rows: int) -> Bandwidth:
    return Bandwidth(rows)


if __name__ == "__main__":
    serve_turns(open_oracle, lambda rows: make_bandwidth(rows).sample())
