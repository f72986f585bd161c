"""Peers side by side: each in an environment and a process of its own, one round of each after the other."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.memory import Sampler, read_tree
from bench.plan import VARIANTS, Plan
from gpt2forge.measure.host import count_threads
from gpt2forge.measure.spread import summarize
from interop.environments import EnvironmentFault, make_python

HERE = Path(__file__).resolve().parent
OURS, PYTORCH = "ours", "pytorch"
PEERS = {
    "PyTorch fp32": (PYTORCH, "fp32"),
    "PyTorch dynamic int8": (PYTORCH, "int8"),
    "Optimum fp32": ("optimum", "fp32"),
    "Optimum int8 per channel": ("optimum", "int8"),
    "CTranslate2 int8": ("ctranslate2", "int8"),
    "llama.cpp Q8_0": ("llamacpp", "Q8_0"),
    "llama.cpp Q4_0": ("llamacpp", "Q4_0"),
    "llama.cpp Q4_K_M": ("llamacpp", "Q4_K_M"),
    **{f"ours, {variant}": (OURS, variant) for variant in VARIANTS},
}
"""Each system by the folder here that says how it is run, and the form of its weights."""


class PeerFault(Exception):
    """A peer cannot do what it was asked to; the message is what it said."""


@dataclass
class Peer:
    """A process that holds one system."""

    process: subprocess.Popen[str]

    def ask(self, do: str, **order: Any) -> Any:
        """Raises PeerFault with the peer's own error."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"ended with code {self.process.wait()}"}
        if isinstance(answer, dict) and "error" in answer:
            raise PeerFault(answer["error"])
        return answer


@contextmanager
def start(kind: str, work: Path) -> Iterator[Peer]:
    """A peer's process; what it says beside its answers goes to a log in `work`."""
    try:
        python = Path(sys.executable) if kind in (OURS, PYTORCH) else make_python(kind, HERE)
    except EnvironmentFault as error:
        raise PeerFault(str(error)) from error
    command = [str(python), str(HERE / "serve.py"), str(HERE / kind / "peer.py")]
    with (work / "log").open("a") as log:
        process = subprocess.Popen(
            command, cwd=work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
    with process:
        try:
            yield Peer(process)
        finally:
            process.kill()


def measure_peers(plan: Plan, weights: Path) -> dict[str, Any]:
    """Build, size, load, memory, a prompt's and a token's milliseconds of every system; an error in place of them.

    `weights` is a folder of transformers, which the others convert.
    """
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        peers = {}
        for name, (kind, scheme) in PEERS.items():
            work = plan.work / "peers" / kind
            source = plan.recipe(scheme) if kind == OURS else weights
            try:
                link_sources(plan, work)
                found[name] = prepare(kind, scheme, source, work)
                peers[name] = stack.enter_context(start(kind, work))
                place = {"path": found[name]["path"], "threads": count_threads(), "capacity": plan.prompt + plan.new}
                found[name] |= peers[name].ask("open", **place)
                found[name]["memory_bytes"] = read_tree(peers[name].process.pid)
            except PeerFault as error:
                found[name] = {"error": str(error)}
                peers.pop(name, None)
        prompt = np.random.default_rng(0).integers(0, plan.shape.n_vocab - 1, plan.prompt).tolist()
        for name, measured in run(peers, prompt, plan).items():
            found[name] |= measured
    return found


def prepare(kind: str, scheme: str, source: Path, work: Path) -> dict[str, Any]:
    """Bring the model into a system's own form, in a process that ends with that."""
    with start(kind, work) as peer, Sampler(peer.process.pid) as sampler:
        told = peer.ask("prepare", weights=str(source), out=str(work), scheme=scheme)
    return {**told, "peak_memory_bytes": sampler.peak}


def link_sources(plan: Plan, work: Path) -> None:
    """Recipes name checkpoints and texts from the working directory."""
    work.mkdir(parents=True, exist_ok=True)
    for folder in ("checkpoints", "examples"):
        if (plan.work / folder).exists() and not (work / folder).is_symlink():
            (work / folder).symlink_to(plan.work / folder)


def run(peers: Mapping[str, Peer], prompt: list[int], plan: Plan) -> dict[str, Any]:
    """Medians over the rounds, with their spread; the first round only lays out memory."""
    times: dict[str, dict[str, list[float]]] = {name: {"prefill_ms": [], "token_ms": []} for name in peers}
    texts: dict[str, list[int]] = {}
    failed: dict[str, Any] = {}
    for number in range(plan.rounds + 1):
        for name, peer in peers.items():
            if name in failed:
                continue
            try:
                if number == 0:
                    texts[name] = peer.ask("write", prompt=prompt, new=plan.new)
                taken = peer.ask("run", prompt=prompt, new=plan.new)
            except PeerFault as error:
                failed[name] = {"error": str(error)}
                continue
            for what, milliseconds in taken.items() if number else ():
                times[name][what].append(milliseconds)
    reference = texts.get("PyTorch fp32", [])
    measured = {
        name: {
            **{what: summarize(values).to_json() for what, values in times[name].items()},
            "tokens_as_pytorch": sum(a == b for a, b in zip(texts[name], reference, strict=False)),
        }
        for name in peers
        if name not in failed
    }
    return {**measured, **failed}
