"""Measures times and memory of a package and of PyTorch in float32, in alternating rounds, and the memory bandwidth."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gpt2forge.checkpoint.config import read_config
from gpt2forge.measure import package_contestant, pytorch_contestant
from gpt2forge.measure.host import describe_host
from gpt2forge.measure.noise import OtherPrograms, find_noise
from gpt2forge.measure.spread import Spread, summarize
from gpt2forge.measure.turns import Contestant
from gpt2forge.processors import count_threads

PAUSE = 0.2  # seconds, in which the waiting threads of the previous system go to sleep
POSITIONS, TOKENS, HEAD = "wpe.weight", "wte.weight", "lm_head.weight"
BANDWIDTH_ROWS = 32_768  # of 4096 float32: 512 MiB, far more than any processor cache

Samples = Mapping[str, list[float]]


def measure(
    package: Path,
    weights: Path,
    *,
    prompt_tokens: int,
    new_tokens: int,
    rounds: int,
    advance: Callable[[int, int, str], None],
) -> dict[str, Any]:
    """Run both systems in turns. Return the medians of their times, in milliseconds, and the spreads.

    Prompt and new tokens together must fit into the model's context.
    """
    capacity = prompt_tokens + new_tokens
    prompt = np.random.default_rng(0).integers(0, read_config(weights).vocab_size, prompt_tokens).tolist()
    threads = count_threads()
    with (
        Contestant(pytorch_contestant.__name__, weights, threads=threads, capacity=capacity) as pytorch,
        Contestant(package_contestant.__name__, package, threads=threads, capacity=capacity) as ours,
    ):
        systems = {"": ours, "_reference": pytorch}
        for system in systems.values():  # the first run allocates memory
            system.warm_up(prompt, 2)
        pytorch.measure_bandwidth(BANDWIDTH_ROWS)
        others = OtherPrograms([system.pid for system in systems.values()])
        samples: dict[str, list[float]] = {}
        for number in range(rounds):
            advance(number, rounds, "rounds")
            run_round(systems, prompt, new_tokens, samples)
        noise = find_noise(others.measure(), samples)
        return {**describe(package, ours, pytorch, samples=samples), "noise": noise, "host": describe_host()}


def run_round(systems: Mapping[str, Contestant], prompt: list[int], new: int, samples: dict[str, list[float]]) -> None:
    """Give each system one turn, and measure the memory bandwidth once."""
    samples.setdefault("bandwidth_gb_s", []).append(systems["_reference"].measure_bandwidth(BANDWIDTH_ROWS))
    for suffix, system in systems.items():
        time.sleep(PAUSE)
        turn = system.take_turn(prompt, new)
        for name in ("prefill_ms", "token_ms"):
            samples.setdefault(name + suffix, []).append(turn[name])


def describe(package: Path, ours: Contestant, pytorch: Contestant, *, samples: Samples) -> dict[str, Any]:
    """Return the numbers of both systems for the part `benchmark` of a report."""
    spreads: dict[str, Spread] = {name: summarize(values) for name, values in samples.items()}
    speed = spreads["bandwidth_gb_s"]
    limit = count_read_bytes(package) / speed.median / 1e6
    return {
        **{name: spread.median for name, spread in spreads.items()},
        "load_s": ours.load_s,
        "load_s_reference": pytorch.load_s,
        "peak_memory_bytes": ours.peak.anonymous,
        "mapped_memory_bytes": ours.peak.mapped,
        "peak_memory_bytes_reference": pytorch.peak.anonymous,
        "mapped_memory_bytes_reference": pytorch.peak.mapped,
        "bandwidth_limit_ms": limit,
        "bandwidth_limit_share": limit / spreads["token_ms"].median,
        "spread": {name: [spread.least, spread.largest] for name, spread in spreads.items()},
        "rounds": len(samples["token_ms"]),
    }


def count_read_bytes(package: Path) -> int:
    """Return how many bytes of weights the package must read for one token, from `tensors` of forge.json.

    Tables of which a token needs one row do not count: the positions, and the token embedding if the LM head is a
    table of its own.
    """
    tensors = {
        tensor["name"]: tensor["bytes"] for tensor in json.loads((package / "forge.json").read_text())["tensors"]
    }
    looked_up = {POSITIONS, TOKENS} if HEAD in tensors else {POSITIONS}
    return sum(size for name, size in tensors.items() if name not in looked_up)
