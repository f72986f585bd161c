"""What the numbers are held against."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """One number beside its goal, which it may reach but not pass."""

    what: str
    value: float
    goal: float
    unit: str

    @property
    def reached(self) -> bool:
        return self.value <= self.goal

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "reached": self.reached}


SIZES = {"int8 per channel": 0.255, "int8 blocks of 128": 0.265, "int4 blocks of 32": 0.17}
TOKENS = {"int8 per channel": 0.17, "int8 blocks of 128": 0.17, "int4 blocks of 32": 0.12}
PREFILL = 0.25
INCREASES = {"int8 blocks of 128": 0.2, "int8 per channel": 0.2, "int4 blocks of 32": 3.0}  # %
DIVERGENCE = 2e-3
IDLE = {"gpt2forge build": 40, "make build": 60, "gpt2forge plan, edited": 400}  # ms


def judge(results: Mapping[str, Any]) -> Iterator[Verdict]:
    """Hold the parts of `results` that were measured against their goals."""
    parts = ("builds", "sizes", "speed", "fidelity", "idle")
    builds, sizes, speed, fidelity, idle = (results.get(part) for part in parts)
    if builds:
        large, small = list(builds)[:2]
        yield Verdict(f"cold build of {large}", builds[large]["seconds"]["median"], 25, "s")
        yield Verdict("its peak anonymous memory", builds[large]["peak_memory_bytes"] / 1e9, 1.0, "GB")
        yield Verdict(f"cold build of {small}", builds[small]["seconds"]["median"], 10, "s")
    if sizes:
        for variant, goal in SIZES.items():
            yield Verdict(f"size, {variant}", sizes[variant]["package_share"], goal, "of float32")
    if speed:
        for variant, goal in TOKENS.items():
            yield Verdict(f"a token, {variant}", speed["systems"][variant]["token_ratio"], goal, "of PyTorch")
        for variant in TOKENS:
            yield Verdict(f"prefill, {variant}", speed["systems"][variant]["prefill_ratio"], PREFILL, "of PyTorch")
    for system, goal in IDLE.items() if idle else ():
        yield Verdict(f"nothing to do, {system}", idle[system]["median"], goal, "ms")
    if fidelity:
        for variant, goal in INCREASES.items():
            yield Verdict(f"perplexity, {variant}", 100 * fidelity[variant]["perplexity_increase"], goal, "% above")
        for variant in ("int8 blocks of 128", "int8 per channel"):
            yield Verdict(f"KL divergence, {variant}", fidelity[variant]["kl_mean"], DIVERGENCE, "nats")
