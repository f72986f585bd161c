"""A writer's process, in an environment of its own: `python -m bench.writers.serve KIND` opens it, and writes texts.

It imports nothing that an environment may lack; `bench/writers/KIND.py` imports what the system needs.
"""

import importlib
import sys
import time
from pathlib import Path
from typing import Any

from gpt2forge.measure.child import Send, serve

SHARES = ("Private_Clean:", "Private_Dirty:")


def read_unique(pid: int | None = None) -> int:
    """Return the bytes of memory that a process, or this one, shares with no other; 0 where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid or 'self'}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(SHARES))


class Server:
    """The answers of a writer: a request names a method, `do`, and its arguments."""

    def __init__(self, module: Any) -> None:
        self.module: Any = module
        self.writer: Any = None

    def answer(self, request: dict[str, Any], send: Send) -> Any:
        return getattr(self, request.pop("do"))(**request)

    def open(self, path: str, threads: int, prompt: str) -> dict[str, float]:
        """Open the system and write one token.

        `open_s` is how long both take, once its libraries are imported; `added_bytes` is the memory that only this
        process holds then, and did not before, or all of the process that a writer has started.
        """
        before = read_unique()
        began = time.perf_counter()
        self.writer = self.module.Writer(Path(path), threads)
        self.writer.write([prompt], 1)
        taken, other = time.perf_counter() - began, getattr(self.writer, "pid", None)
        return {"open_s": taken, "added_bytes": read_unique(other) if other else read_unique() - before}

    def write(self, prompts: list[str], new: int) -> float:
        """Return the seconds of `new` tokens behind each prompt, text in and text out."""
        began = time.perf_counter()
        counts = self.writer.write(prompts, new)
        taken = time.perf_counter() - began
        if counts != [new] * len(prompts):
            raise ValueError(f"wrote texts of {counts} tokens, and not of {new}")
        return taken


if __name__ == "__main__":
    serve(Server(importlib.import_module(f"bench.writers.{sys.argv[1]}")).answer)
