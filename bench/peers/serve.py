"""A peer at work in an environment of its own: orders come in as JSON, a line each, and so do answers go out.

Nothing is imported here that an environment may lack: what the peer needs, its own module does. The first argument is
that module's path. An order is `{"do": "prepare" | "open" | "run" | "write", ...}`; what goes wrong is answered as
`{"error": ...}`.
"""

import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def load_module(path: str) -> Any:
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
        self.module, self.peer = module, None

    def prepare(self, weights: str, out: str, scheme: str) -> dict[str, Any]:
        began = time.perf_counter()
        path = self.module.prepare(Path(weights), Path(out), scheme)
        seconds = time.perf_counter() - began
        return {"path": str(path), "seconds": seconds, "bytes": measure_size(path)}

    def open(self, path: str, threads: int, capacity: int) -> dict[str, Any]:
        began = time.perf_counter()
        self.peer = self.module.Peer(Path(path), threads, capacity)
        return {"load_s": time.perf_counter() - began}

    def run(self, prompt: list[int], new: int) -> Any:
        return self.peer.run(prompt, new)  # type: ignore[attr-defined]

    def write(self, prompt: list[int], new: int) -> Any:
        return self.peer.write(prompt, new)  # type: ignore[attr-defined]


def main() -> None:
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
