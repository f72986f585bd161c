"""A peer at work in an environment of its own: orders come in as JSON, a line each, and so do answers go out.

Nothing is imported here that an environment may lack: what the peer needs, its own module does. The first argument is
that module's path. An order is `{"do": "prepare" | "open" | "run" | "read", ...}`; what goes wrong is answered as
`{"error": ...}`.
"""

import importlib.util
import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

MEMORY = 0.9  # of the machine's: a peer that wants more fails by itself, and not others with it


def load_module(path: str) -> Any:
    sys.path.append(str(Path(path).parent))
    spec = importlib.util.spec_from_file_location("peer", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure_size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


class Server:
    def __init__(self, module: Any) -> None:
        self.module: Any = module
        self.peer: Any = None

    def prepare(self, weights: str, out: str, scheme: str) -> dict[str, Any]:
        began = time.perf_counter()
        path = self.module.prepare(Path(weights), Path(out), scheme)
        seconds = time.perf_counter() - began
        return {"path": str(path), "seconds": seconds, "bytes": measure_size(path)}

    def open(self, path: str, threads: int) -> dict[str, Any]:
        """`read_bytes`: the weights that one token has to read, which is what holds it up."""
        began = time.perf_counter()
        self.peer = self.module.Peer(Path(path), threads)
        return {"load_s": time.perf_counter() - began, "read_bytes": self.peer.count_bytes()}

    def run(self, prompts: list[list[int]], new: int) -> dict[str, Any]:
        """Milliseconds of prompts (B, S), and of a token of each of them after that; the first text."""
        texts, times = self.peer.write(prompts, new)
        taken = {"prefill_ms": times[0], "text": texts[0]}
        return {**taken, "token_ms": statistics.median(times[1:])} if new > 1 else taken

    def read(self, tokens: list[int], out: str) -> str:
        """Leave the logits (S, V) of a text in the file `out`."""
        import numpy as np

        np.save(out, np.asarray(self.peer.read(tokens), np.float32))
        return out


def main() -> None:
    limit = int(MEMORY * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    server = Server(load_module(sys.argv[1]))
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = getattr(server, order.pop("do"))(**order)
        except Exception as error:
            answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
