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

from bench.peers.fidelity import cut_text
from bench.peers.prepare import prepare
from bench.peers.process import Peer, PeerFault, start
from bench.peers.systems import OURS, REFERENCE, SYSTEMS, System, choose_systems
from bench.plan import SHORT, Plan, Run
from bench.quiet import Gate, report
from gpt2forge.measure.bandwidth import Bandwidth
from gpt2forge.measure.memory import measure_anonymous
from gpt2forge.measure.spread import summarize
from gpt2forge.processors import count_threads
from gpt2forge.store.atomic import remove_tree

PAUSE = 0.21  # seconds until the threads of the system before stop spinning, which Intel's OpenMP lets them for 0.2
RESERVE = 2e9  # bytes that a run needs
COPIES = 2  # of keys and values that a system may hold: those before a token, and those behind it
READS = 20  # of a disk in one run; Python's own reads stay below
KINDS = ("prefill_ms", "token_ms", "limit_ms", "limit_share", "tokens_s")


@dataclass
class Samples:
    """The samples of one system by kind, and in that by tokens before or by texts at once; the text that it wrote.

    `paged` counts the runs that measured a disk rather than the system.
    """

    taken: dict[str, dict[str, list[float]]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    text: list[int] = field(default_factory=list)
    paged: int = 0

    def keep(self, run: Run, turn: Mapping[str, Any], reads: int, limit: float | None = None) -> None:
        """Keep the numbers of a run: tokens a second of short runs that write, to compare batches; else milliseconds.

        A run with more than a few `reads` of a disk is dropped: its weights had not stayed in memory. `limit` is the
        milliseconds that reading all weights took at the memory's speed just before a short run.
        """
        if reads > READS:
            self.paged += 1
        elif run.tokens < SHORT and run.new > 1:
            self.add("tokens_s", run.batch, 1e3 * run.batch / turn["token_ms"])
        else:
            for kind in ("prefill_ms", "token_ms"):
                if kind in turn:
                    self.add(kind, run.tokens, turn[kind])
            if run.tokens == SHORT:
                self.text = turn["text"]
            if limit is not None:
                self.add("limit_ms", run.tokens, limit)
                self.add("limit_share", run.tokens, limit / turn["token_ms"])

    def add(self, kind: str, count: int, value: float) -> None:
        self.taken[kind].setdefault(str(count), []).append(value)

    def describe(self) -> dict[str, Any]:
        return {
            kind: {name: {**summarize(values).to_json(), "rounds": len(values)} for name, values in found.items()}
            for kind, found in self.taken.items()
        }


def measure_peers(plan: Plan, weights: Path, bandwidth: Bandwidth) -> dict[str, Any]:
    """Measure build, size, load, memory, speed and, of a trained model, fidelity of every system; `error` if it failed.

    `weights` is a folder of transformers, which the others convert. As many systems are open at once as memory holds;
    these take turns.
    """
    found = prepare_all(plan, weights, choose_systems(plan))
    samples: dict[str, Samples] = {}
    gate = Gate(plan.patience)
    yardstick = cut_text(plan, weights) if plan.is_trained else None
    queue = order_systems(found)
    while queue:
        with ExitStack() as stack:
            peers = open_peers(plan, stack, queue, found)
            samples |= take_turns(plan, peers, bandwidth, gate, found)
            if yardstick:  # the first system that it measures is the reference
                for name, peer in peers.items():
                    found[name]["fidelity"] = attempt(found[name], partial(yardstick.measure, peer))
    describe(found, samples)
    return {
        "float32_bytes": plan.float32_bytes,
        "memory_gb_s": bandwidth.to_json(),
        "gate": gate.to_json(),
        "systems": found,
    }


def prepare_all(plan: Plan, weights: Path, systems: Mapping[str, System]) -> dict[str, dict[str, Any]]:
    """Prepare every system, and return what is known of each so far."""
    found: dict[str, dict[str, Any]] = {}
    for name, system in systems.items():
        report(f"{plan.model}: preparing {name}")
        before = found.get(system.after or "", {})
        try:
            found[name] = prepare(plan, system, weights, {} if "error" in before else before)
        except PeerFault as error:
            found[name] = {"error": str(error)}
    return found


def order_systems(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the systems to open: the reference, then by size, so that those most compared are open together."""
    names = [name for name in found if "error" not in found[name]]
    return sorted(names, key=lambda name: (name != REFERENCE, find_need(name, found)))


def open_peers(plan: Plan, stack: ExitStack, queue: list[str], found: dict[str, Any]) -> dict[str, Peer]:
    """Take systems off the queue as long as memory lasts, one at least, and open them."""
    peers: dict[str, Peer] = {}
    while queue and (not peers or find_room(plan, peers, found) > find_need(queue[0], found)):
        name = queue.pop(0)
        try:
            peer = stack.enter_context(start(SYSTEMS[name], plan.work / "peers" / SYSTEMS[name].kind))
            found[name] |= peer.ask("open", path=found[name]["path"], threads=count_threads())
            found[name]["memory_bytes"] = measure_anonymous(peer.pid)
            peers[name] = peer
        except PeerFault as error:
            found[name]["error"] = str(error)
    return peers


def find_need(name: str, found: Mapping[str, Mapping[str, Any]]) -> float:
    """Return the bytes of memory that a system may take to open, and to run beside the others."""
    return float(SYSTEMS[name].room * found[name]["bytes"] + RESERVE)


def find_room(plan: Plan, peers: Mapping[str, Peer], found: Mapping[str, Any]) -> float:
    """Return the bytes of memory left once the open systems hold all they may: mapped weights, keys and values."""
    mapped = sum(max(found[name]["read_bytes"] - found[name]["memory_bytes"], 0) for name in peers)
    return float(psutil.virtual_memory().available - mapped - len(peers) * plan.shape.cache_bytes * COPIES)


def take_turns(
    plan: Plan, peers: Mapping[str, Peer], bandwidth: Bandwidth, gate: Gate, found: dict[str, Any]
) -> dict[str, Samples]:
    """Time every run of every system, round by round; round 0 only lays out memory."""
    samples = {name: Samples() for name in peers}
    texts = max(run.batch for run in plan.runs)
    tokens = np.random.default_rng(0).integers(0, plan.shape.n_vocab - 1, (texts, plan.shape.n_ctx))
    for number in range(plan.rounds + 1):
        report(f"{plan.model}: {len(peers)} systems, round {number} of {plan.rounds}")
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
                turn = attempt(found[name], partial(peer.ask, "run", prompts=prompts, new=run.new))
                if turn and number:
                    samples[name].keep(run, turn, peer.count_reads() - before, limit)
    return samples


def attempt(found: dict[str, Any], act: Callable[[], Any]) -> Any:
    """Return the result of a call, None once a peer has failed; keep the first of its faults."""
    if "error" in found:
        return None
    try:
        return act()
    except PeerFault as error:
        found["error"] = str(error)
        return None


def describe(found: dict[str, Any], samples: Mapping[str, Samples]) -> None:
    """Add the medians with their spread, and how many tokens equal the reference's; remove what is of this machine."""
    reference = samples[REFERENCE].text if REFERENCE in samples else []
    for name, taken in samples.items():
        found[name] |= {**taken.describe(), "paged_runs": taken.paged}
        if taken.paged and not taken.taken["token_ms"].get(str(SHORT)):
            found[name]["error"] = f"its weights did not stay in memory: {taken.paged} runs read them from the disk"
        same = sum(a == b for a, b in zip(taken.text, reference, strict=False))
        found[name]["tokens_as_pytorch"] = [same, len(reference)]
    for name, system in found.items():
        path = Path(system.pop("path", ""))
        system.pop("key", None)
        if SYSTEMS[name].kind == OURS and path.name:  # built anew each time
            remove_tree(path)
