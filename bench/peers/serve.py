"""A peer's process, in an environment of its own: `python -m bench.peers.serve KIND` answers what `process.Peer` asks.

It imports nothing that an environment may lack; `bench/peers/KIND/peer.py` imports what the peer needs.
"""

import importlib
import os
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from gpt2forge.measure.child import Send, serve

MEMORY = 0.9  # share of the machine's memory: a peer that wants more fails by itself, and not others with it


def measure_size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


class Server:
    """The answers of a peer: a request names a method, `do`, and its arguments."""

    def __init__(self, module: Any) -> None:
        self.module: Any = module
        self.peer: Any = None

    def answer(self, request: dict[str, Any], send: Send) -> Any:
        return getattr(self, request.pop("do"))(**request)

    def prepare(self, weights: str, out: str, scheme: str) -> dict[str, Any]:
        began = time.perf_counter()
        path = self.module.prepare(Path(weights), Path(out), scheme)
        return {"path": str(path), "seconds": time.perf_counter() - began, "bytes": measure_size(path)}

    def open(self, path: str, threads: int) -> dict[str, Any]:
        """Open the system; `read_bytes` are the weights that one token has to read, which limit its speed.

        A system that was compiled on this machine adds `compiled_for`.
        """
        began = time.perf_counter()
        self.peer = self.module.Peer(Path(path), threads)
        opened = {"load_s": time.perf_counter() - began, "read_bytes": self.peer.read_bytes}
        compiled_for = getattr(self.peer, "compiled_for", "")
        return {**opened, "compiled_for": compiled_for} if compiled_for else opened

    def run(self, prompts: list[list[int]], new: int) -> dict[str, Any]:
        """Return the milliseconds of prompts (B, S) and of a token of each of them after that, and the first text."""
        texts, times = self.peer.write(prompts, new)
        taken = {"prefill_ms": times[0], "text": texts[0]}
        return {**taken, "token_ms": statistics.median(times[1:])} if new > 1 else taken

    def read(self, tokens: list[int], out: str) -> str:
        """Write the logits (S, V) of a text into the file `out`."""
        import numpy as np

        np.save(out, np.asarray(self.peer.read(tokens), np.float32))
        return out


if __name__ == "__main__":
    limit = int(MEMORY * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    serve(Server(importlib.import_module(f"bench.peers.{sys.argv[1]}.peer")).answer)
