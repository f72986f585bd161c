"""The goals that the numbers are compared with: ratios of one run on one machine, where that is possible."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.page import TAKEN, describe_origin, is_whole
from bench.plan import EXAMPLE, SHIPPED, SHORT


@dataclass(frozen=True)
class Verdict:
    """One number beside its goal, which it may reach but not pass; or, with `at_least`, not fall short of."""

    what: str
    value: float
    goal: float
    unit: str
    at_least: bool = False

    @property
    def reached(self) -> bool:
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "reached": self.reached}


PYTORCH, OPTIMUM, CTRANSLATE2 = "PyTorch fp32", "Optimum int8 per channel", "CTranslate2 int8"
OPENVINO_INT8, OPENVINO_INT4 = "OpenVINO int8", "OpenVINO int4"
Q8, Q4, Q4_K = "llama.cpp Q8_0", "llama.cpp Q4_0", "llama.cpp Q4_K_M"
BLOCKS, CHANNEL, INT4 = "ours, int8 blocks of 128", "ours, int8 per channel", "ours, int4 blocks of 32"
SMALL_INT4 = "ours, int4 blocks of 128"
FITTED_BLOCKS, FITTED_CHANNEL = "ours, int8 blocks of 32, fitted", "ours, int8 per channel, fitted"
FITTED_SHIPPED = "ours, int8 blocks of 128, fitted"
FITTED_INT4, MIXED = "ours, int4 blocks of 32, fitted", "ours, int4 with int8, fitted"
FITTED_SMALL = "ours, int4 blocks of 128, fitted"
BEST, CACHED = "ours, int8 blocks of 64, fitted", "ours, int8 blocks of 128, int8 cache"
DOUBLE = "ours, int8 per channel, few rows in blocks"
FITTED_DOUBLE = f"{DOUBLE}, cache, fitted"
INT8 = (BLOCKS, CHANNEL, DOUBLE)

BUILDS = {"seconds": 15, "GB": 0.8, "nano's seconds": 10, "fitted, GB": 2}
CONVERSION = 1.0  # GB
SIZES = {CHANNEL: 0.254, DOUBLE: 0.254, BLOCKS: 0.265, INT4: 0.17, SMALL_INT4: 0.15}
LONG, BATCH = "1000", "16"
TOKENS = {
    **{(ours, PYTORCH): 0.15 for ours in INT8},
    **{(ours, OPTIMUM): 0.75 for ours in INT8},
    **{(ours, CTRANSLATE2): 0.36 for ours in INT8},
    **{(ours, Q8): 0.90 for ours in INT8},
    (INT4, PYTORCH): 0.12,
    **{(ours, Q4): 0.90 for ours in (INT4, SMALL_INT4)},
}
OPENVINO = {
    **dict.fromkeys(INT8, OPENVINO_INT8),
    **dict.fromkeys((INT4, SMALL_INT4), OPENVINO_INT4),
}
"""Who reads prompts with as many bits."""

PREFILLS = {
    **{(ours, OPTIMUM, str(SHORT)): 1.0 for ours in INT8},
    **{(ours, Q8, str(SHORT)): 0.25 for ours in INT8},
    **{(ours, OPTIMUM, LONG): 1.0 for ours in INT8},
    **{(ours, PYTORCH, str(SHORT)): 0.25 for ours in (*INT8, INT4)},
    **{(CACHED, BLOCKS, length): 1.1 for length in (str(SHORT), LONG)},
    **{(*pair, length): 1.0 for pair in OPENVINO.items() for length in (str(SHORT), LONG)},
}
PASTS = {**dict.fromkeys(INT8, 1.5), CACHED: 1.25}
LIMIT_SHARE = 0.9
BATCHES = {(ours, CTRANSLATE2): 1.5 for ours in INT8}
DIVERGENCES = {
    **{(ours, OPTIMUM): 0.08 for ours in (FITTED_BLOCKS, FITTED_SHIPPED)},
    (FITTED_CHANNEL, OPTIMUM): 0.10,
    (BEST, Q8): 1.0,
    (FITTED_INT4, INT4): 0.45,
    (FITTED_SMALL, Q4): 1.0,
    (MIXED, Q4_K): 1.0,
}
INCREASES = {FITTED_BLOCKS: 0.05, FITTED_SHIPPED: 0.05, FITTED_INT4: 1.0}  # % of perplexity, up or down
LOOPS = {SHIPPED: 3.0, EXAMPLE: 15.0}  # % of a run of the model
PACKED = f"{BLOCKS}, packed"
OPENING = {"s": 1.0, "MB": 60}
TEXTS = 1.5  # times as many tokens a second as the fastest of the others
GUESSES = 1.5  # times as fast where a text repeats its prompt
MINUTES = 25
IDLE = {"gpt2forge build": 40, "make build": 60, "gpt2forge plan, edited": 400}  # ms


def check_goals(results: Mapping[str, Any]) -> Iterator[Verdict]:
    """Compare the parts of `results` that were measured with their goals; skip what a system lacks."""
    peers = results.get("peers", {})
    if "builds" in results:
        yield from check_builds(results["builds"])
    for fitted, build in results.get("fitting", {}).items():
        yield Verdict(f"peak anonymous memory, {fitted}", build["peak_memory_bytes"] / 1e9, BUILDS["fitted, GB"], "GB")
    if "formats" in results:
        peak = max(found["peak_memory_bytes"] for size in results["formats"].values() for found in size.values())
        yield Verdict("peak anonymous memory, any conversion", peak / 1e9, CONVERSION, "GB")
    if SHIPPED in peers:
        yield from check_sizes(peers[SHIPPED])
        yield from check_speed(peers[SHIPPED]["systems"])
    if EXAMPLE in peers:
        yield from check_fidelity(peers[EXAMPLE]["systems"])
    for system, goal in IDLE.items() if "idle" in results else ():
        yield Verdict(f"nothing to do, {system}", results["idle"][system]["median"], goal, "ms")
    for model, found in results.get("texts", {}).items():
        yield from check_texts(model, found)
    if is_whole(results) and not any(describe_origin(results, part) for part in TAKEN):
        minutes = sum(results["seconds"][part] for part in TAKEN) / 60
        yield Verdict("`make bench`, checkpoints prepared", minutes, MINUTES, "min")


def add_goals(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results with all that was measured compared with today's goals."""
    return {**results, "goals": [verdict.to_json() for verdict in check_goals(results)]}


def check_builds(builds: Mapping[str, Any]) -> Iterator[Verdict]:
    large, small = list(builds)[:2]
    yield Verdict(f"cold build of {large}", builds[large]["seconds"]["median"], BUILDS["seconds"], "s")
    yield Verdict("its peak anonymous memory", builds[large]["peak_memory_bytes"] / 1e9, BUILDS["GB"], "GB")
    yield Verdict(f"cold build of {small}", builds[small]["seconds"]["median"], BUILDS["nano's seconds"], "s")


def check_sizes(peers: Mapping[str, Any]) -> Iterator[Verdict]:
    for name, goal in SIZES.items():
        size = find(peers["systems"], name, "bytes")
        if size is not None:
            yield Verdict(f"size, {name}", size / peers["float32_bytes"], goal, "of float32")


def check_speed(systems: Mapping[str, Any]) -> Iterator[Verdict]:
    """Compare medians of one run: ours with others', the long past with the short one, and with the memory's limit."""
    short = str(SHORT)
    for (ours, other), goal in TOKENS.items():
        yield from compare(f"a token, {ours}", systems, (ours, other), ("token_ms", short, "median"), goal)
    for (ours, other, length), goal in PREFILLS.items():
        yield from compare(f"{length} tokens, {ours}", systems, (ours, other), ("prefill_ms", length, "median"), goal)
    for (ours, other), goal in BATCHES.items():
        what, keys = f"tokens/s of {BATCH} texts, {ours}", ("tokens_s", BATCH, "median")
        yield from compare(what, systems, (ours, other), keys, goal, at_least=True)
    for name, goal in PASTS.items():
        near, far = (find(systems, name, "token_ms", past, "median") for past in (short, LONG))
        if near and far:
            yield Verdict(f"a token behind {LONG}, {name}", far / near, goal, f"of one behind {short}")
    for name in INT8:
        share = find(systems, name, "limit_share", short, "median")
        if share:
            yield Verdict(f"the memory's limit, {name}", share, LIMIT_SHARE, "of its time", at_least=True)


def check_texts(model: str, found: Mapping[str, Any]) -> Iterator[Verdict]:
    """Compare the loop of our packages, whole texts and opening at the shipped size, and guesses of a trained model."""
    for name, alone in found["alone"].items():
        if model in LOOPS:
            share = 100 * alone["loop"]["likeliest"]
            yield Verdict(f"the loop, {name}, {model}", share, LOOPS[model], "% of a run")
    if model == SHIPPED:
        writers = found["writers"]
        speeds = {name: find(writers, name, "tokens_s", BATCH, "median") or 0.0 for name in writers}
        ours, best = (
            max((speed for name, speed in speeds.items() if name.startswith("ours") == is_ours), default=0.0)
            for is_ours in (True, False)
        )
        if ours and best:
            what = f"tokens/s of {BATCH} whole texts, the fastest of ours"
            yield Verdict(what, ours / best, TEXTS, "of the fastest other", at_least=True)
        if (seconds := find(writers, PACKED, "open_s")) is not None:
            yield Verdict(f"opened, {PACKED}", seconds, OPENING["s"], "s")
            added = find(writers, PACKED, "added_bytes") or 0.0
            yield Verdict(f"a second process, {PACKED}", added / 1e6, OPENING["MB"], "MB")
    guesses = [
        each["faster"]
        for alone in found["alone"].values()
        for kind, each in alone.get("guesses", {}).items()
        if kind == "repeating, likeliest"
    ]
    if guesses:
        what = f"guesses where a text repeats its prompt, the best package, {model}"
        yield Verdict(what, max(guesses), GUESSES, "times as fast", at_least=True)


def check_fidelity(systems: Mapping[str, Any]) -> Iterator[Verdict]:
    for (ours, other), goal in DIVERGENCES.items():
        yield from compare(f"KL divergence, {ours}", systems, (ours, other), ("fidelity", "kl_mean"), goal)
    for name, goal in INCREASES.items():
        increase = find(systems, name, "fidelity", "perplexity_increase")
        if increase is not None:
            yield Verdict(f"perplexity, {name}", 100 * abs(increase), goal, "% from float32")
    for ours, other in DIVERGENCES:
        if other in (Q4, Q4_K):
            yield from compare(f"bytes, {ours}", systems, (ours, other), ("bytes",), 1.0)


def compare(
    what: str,
    systems: Mapping[str, Any],
    names: tuple[str, str],
    keys: tuple[str, ...],
    goal: float,
    at_least: bool = False,
) -> Iterator[Verdict]:
    """Yield one number of ours as a part of another's, where both were measured."""
    ours, other = (find(systems, name, *keys) for name in names)
    if ours is not None and other:
        yield Verdict(what, ours / other, goal, f"of {names[1].removeprefix('ours, ')}", at_least)


def find_loop(memory: Mapping[str, Any]) -> str:
    """Return the loop that read memory the fastest, whose speed counts as the memory's."""
    return max(memory, key=lambda name: float(memory[name]["median"]))


def find(systems: Mapping[str, Any], *keys: str) -> float | None:
    """Return a number by its place in the results, None where there is none."""
    value: Any = systems
    for key in keys:
        value = value.get(key) if value else None
    return None if value is None else float(value)
