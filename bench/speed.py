"""Prefill and time a token of every system, round by round in turns, with the memory's speed measured between them."""

import gc
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.plan import VARIANTS, Plan
from gpt2forge.measure.bandwidth import Bandwidth
from gpt2forge.measure.host import count_threads
from gpt2forge.measure.spread import summarize
from gpt2forge.measure.systems import Package, Round, System, run_round
from gpt2forge.model.oracle import Oracle

REFERENCE = "PyTorch fp32"
PAUSE = 0.2  # seconds: threads of the system before stop spinning


@dataclass
class Samples:
    """Milliseconds, one a round (a token's: the round's median), and what was written."""

    prefill: list[float] = field(default_factory=list)
    token: list[float] = field(default_factory=list)
    load: float = 0.0
    text: list[int] = field(default_factory=list)


def open_systems(plan: Plan, weights: Path) -> dict[str, tuple[System, float]]:
    """PyTorch and our variants, with the seconds that opening took. Two models of them are float32."""
    threads, capacity = count_threads(), plan.prompt + plan.new
    systems: dict[str, tuple[System, float]] = {}
    began = time.perf_counter()
    systems[REFERENCE] = (Oracle(weights, threads), time.perf_counter() - began)
    for variant in VARIANTS:
        began = time.perf_counter()
        systems[variant] = (Package(plan.output(variant), threads, capacity), time.perf_counter() - began)
    return systems


def keep(turn: Round, samples: Samples) -> None:
    """Add one round's numbers."""
    samples.prefill.append(turn.prefill_ms)
    samples.token.append(turn.token_ms)
    samples.text = turn.text


def measure_speed(plan: Plan, weights: Path, bandwidth: Bandwidth) -> dict[str, Any]:
    """Milliseconds of every system, ratios to PyTorch, and the limit that the memory's speed sets."""
    systems = open_systems(plan, weights)
    prompt = np.random.default_rng(0).integers(0, plan.shape.n_vocab - 1, plan.prompt)
    for system, _ in systems.values():  # first runs lay out memory
        run_round(system, prompt, 3)
    samples = {name: Samples(load=load) for name, (_, load) in systems.items()}
    for _ in range(plan.rounds):
        gc.collect()
        bandwidth.sample()
        for name, (system, _) in systems.items():
            time.sleep(PAUSE)
            keep(run_round(system, prompt, plan.new), samples[name])
    return describe(plan, samples, bandwidth)


def describe(plan: Plan, samples: dict[str, Samples], bandwidth: Bandwidth) -> dict[str, Any]:
    loops = {name: summarize(speeds) for name, speeds in bandwidth.samples.items()}
    best = max(loops, key=lambda name: loops[name].median)
    memory = {"loop": best, "loops": {name: spread.to_json() for name, spread in loops.items()}}
    reference = samples[REFERENCE]
    systems = {}
    for name, sample in samples.items():
        size = plan.float32_bytes if name == REFERENCE else (plan.output(name) / "model.onnx_data").stat().st_size
        token, prefill = summarize(sample.token), summarize(sample.prefill)
        limit = size / loops[best].median / 1e6
        systems[name] = {
            "prefill_ms": prefill.to_json(),
            "token_ms": token.to_json(),
            "prefill_ratio": prefill.median / summarize(reference.prefill).median,
            "token_ratio": token.median / summarize(reference.token).median,
            "load_s": sample.load,
            "weights_bytes": size,
            "limit_ms": limit,
            "limit_share": limit / token.median,
            "tokens_as_pytorch": sum(a == b for a, b in zip(sample.text, reference.text, strict=True)),
        }
    return {"memory_gb_s": memory, "systems": systems, "tokens": plan.new}
