"""Peers side by side: each in an environment and a process of its own, one run of each after the other."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.memory import read_tree
from bench.peers.fidelity import Yardstick, cut_text
from bench.peers.prepare import prepare
from bench.peers.process import Peer, PeerFault, start
from bench.peers.systems import OURS, REFERENCE, SYSTEMS, choose_systems
from bench.plan import SHORT, Plan, Run
from bench.quiet import Gate
from bench.say import say
from gpt2forge.measure.bandwidth import Bandwidth
from gpt2forge.measure.host import count_threads
from gpt2forge.measure.spread import summarize
from gpt2forge.store.atomic import remove_tree

PAUSE = 0.25  # seconds: threads of what ran before stop spinning; Intel's OpenMP lets them for 0.2
RESERVE = 2e9  # bytes, for what a run needs
COPIES = 2  # of keys and values that a system may hold: those before a token, and those behind it
READS = 20  # of a disk, in one run: what Python reads of itself stays below
KINDS = ("prefill_ms", "token_ms", "limit_ms", "limit_share", "tokens_s")


@dataclass
class Samples:
    """What one system took: samples by kind, and in that by tokens before or by texts at once; what it wrote.

    `paged` counts the runs that tell of a disk rather than of the system.
    """

    taken: dict[str, dict[str, list[float]]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    text: list[int] = field(default_factory=list)
    paged: int = 0

    def keep(self, run: Run, told: Mapping[str, Any], reads: int, limit: float | None = None) -> None:
        """Runs of several texts at once, and the short ones beside them, count tokens; the others milliseconds.

        One that read weights from a disk in more than a few `reads` is not kept: they had not stayed in memory.
        `limit` is the milliseconds that reading all weights took at the memory's speed just before a short run.
        """
        if reads > READS:
            self.paged += 1
            return
        if run.tokens < SHORT and run.new > 1:
            self.taken["tokens_s"].setdefault(str(run.batch), []).append(1e3 * run.batch / told["token_ms"])
            return
        for kind in ("prefill_ms", "token_ms"):
            if kind in told:
                self.taken[kind].setdefault(str(run.tokens), []).append(told[kind])
        if run.tokens == SHORT:
            self.text = told["text"]
        if limit is not None:
            self.taken["limit_ms"].setdefault(str(run.tokens), []).append(limit)
            self.taken["limit_share"].setdefault(str(run.tokens), []).append(limit / told["token_ms"])

    def describe(self) -> dict[str, Any]:
        return {
            kind: {name: {**summarize(values).to_json(), "rounds": len(values)} for name, values in found.items()}
            for kind, found in self.taken.items()
        }


def measure_peers(plan: Plan, weights: Path, bandwidth: Bandwidth) -> dict[str, Any]:
    """Build, size, load, memory, speed and, of a trained model, fidelity of every system; `error` where it failed.

    `weights` is a folder of transformers, which the others convert. As many systems are open at once as memory holds:
    those that are, take turns.
    """
    waiting = prepare_all(plan, weights)
    found: dict[str, Any] = dict(waiting)
    samples: dict[str, Samples] = {}
    gate = Gate(plan.patience)
    yardstick = cut_text(plan, weights) if plan.is_trained else None
    queue = order_systems(waiting)
    while queue:
        with ExitStack() as stack:
            peers = open_peers(plan, stack, queue, found)
            samples |= take_turns(plan, peers, bandwidth, gate, found)
            if yardstick:
                compare(peers, yardstick, found)
    describe(found, samples)
    return {
        "float32_bytes": plan.float32_bytes,
        "memory_gb_s": bandwidth.to_json(),
        "gate": gate.to_json(),
        "systems": found,
    }


def prepare_all(plan: Plan, weights: Path) -> dict[str, dict[str, Any]]:
    """What every system's preparation came to."""
    found: dict[str, dict[str, Any]] = {}
    for name, system in choose_systems(plan).items():
        say(f"{plan.model}: preparing {name}")
        before = found.get(system.after or "", {})
        try:
            found[name] = prepare(plan, system, weights, {} if "error" in before else before)
        except PeerFault as error:
            found[name] = {"error": str(error)}
    return found


def order_systems(prepared: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Those that can be opened: the reference, then the small ones, so that what is compared most is open together."""
    names = [name for name in prepared if "error" not in prepared[name]]
    return sorted(names, key=lambda name: (name != REFERENCE, find_need(name, prepared)))


def open_peers(plan: Plan, stack: ExitStack, queue: list[str], found: dict[str, Any]) -> dict[str, Peer]:
    """Take systems off the queue as long as memory lasts, one at least, and open them."""
    peers: dict[str, Peer] = {}
    while queue and (not peers or find_room(plan, peers, found) > find_need(queue[0], found)):
        name = queue.pop(0)
        try:
            peer = stack.enter_context(start(SYSTEMS[name], plan.work / "peers" / SYSTEMS[name].kind))
            found[name] |= peer.ask("open", path=found[name]["path"], threads=count_threads())
            found[name]["memory_bytes"] = read_tree(peer.process.pid)
            peers[name] = peer
        except PeerFault as error:
            found[name]["error"] = str(error)
    return peers


def find_need(name: str, found: Mapping[str, Any]) -> float:
    """Bytes of memory that a system may take to open, and to run beside the others."""
    return SYSTEMS[name].room * found[name]["bytes"] + RESERVE


def find_room(plan: Plan, peers: Mapping[str, Peer], found: Mapping[str, Any]) -> float:
    """Bytes of memory that are free once systems have what they will: weights mapped from files, keys and values."""
    mapped = sum(max(found[name]["read_bytes"] - found[name]["memory_bytes"], 0) for name in peers)
    return float(psutil.virtual_memory().available - mapped - len(peers) * plan.shape.cache_bytes * COPIES)


def take_turns(
    plan: Plan, peers: Mapping[str, Peer], bandwidth: Bandwidth, gate: Gate, found: dict[str, Any]
) -> dict[str, Samples]:
    """Time every run of every system, round by round; the first time only lays out memory."""
    samples = {name: Samples() for name in peers}
    tokens = np.random.default_rng(0).integers(0, plan.shape.n_vocab - 1, (most_texts(plan), plan.shape.n_ctx))
    for number in range(plan.rounds + 1):
        say(f"{plan.model}: {len(peers)} systems, round {number} of {plan.rounds}")
        gate.wait()
        bandwidth.sample()
        for run in plan.possible():
            if number > run.rounds or (number == 0 and run.tokens != SHORT):
                continue
            prompts = tokens[: run.batch, : run.tokens].tolist()
            for name, peer in peers.items():
                gate.wait()
                limit = None
                if run.tokens == SHORT:
                    limit = found[name]["read_bytes"] / bandwidth.sample_fastest() / 1e6
                time.sleep(PAUSE)
                before = peer.count_reads()
                told = attempt(found[name], partial(peer.ask, "run", prompts=prompts, new=run.new))
                if told and number:
                    samples[name].keep(run, told, peer.count_reads() - before, limit)
    return samples


def attempt(found: dict[str, Any], what: Callable[[], Any]) -> Any:
    """What comes of it, None once a peer has failed: of its faults, the first is kept."""
    if "error" in found:
        return None
    try:
        return what()
    except PeerFault as error:
        found["error"] = str(error)
        return None


def most_texts(plan: Plan) -> int:
    return max(run.batch for run in plan.runs)


def compare(peers: Mapping[str, Peer], yardstick: Yardstick, found: dict[str, Any]) -> None:
    """Hold what every system says of a text against what the reference, which is the first, said of it."""
    for name, peer in peers.items():
        found[name]["fidelity"] = attempt(found[name], partial(yardstick.measure, peer))


def describe(found: dict[str, Any], samples: Mapping[str, Samples]) -> None:
    """Add the medians with their spread, and how many tokens are those of the reference."""
    reference = samples[REFERENCE].text if REFERENCE in samples else []
    for name, taken in samples.items():
        found[name] |= {**taken.describe(), "paged_runs": taken.paged}
        if taken.paged and not taken.taken["token_ms"].get(str(SHORT)):
            found[name]["error"] = f"its weights did not stay in memory: {taken.paged} runs read them from the disk"
        same = sum(a == b for a, b in zip(taken.text, reference, strict=False))
        found[name]["tokens_as_pytorch"] = [same, len(reference)]
    for name, told in found.items():
        path = Path(told.pop("path", ""))  # of this machine, and of no interest to another
        told.pop("key", None)
        if SYSTEMS[name].kind == OURS and path.name:  # built anew each time
            remove_tree(path)
