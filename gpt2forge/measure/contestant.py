"""The process that holds one system and takes its turns; `turns` starts it.

Each system has a process of its own, so that neither its memory nor its waiting threads show in the numbers of another.
The first request opens the system (see `child` for the protocol):

    {"folder", "threads", "capacity"}    {"load_s"}
    {"prompt": [...], "new"}             {"prefill_ms", "token_ms", "text"}
    {"bandwidth": rows}                  {"gb_s"}
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpt2forge.measure.child import Send, serve
from gpt2forge.measure.systems import System, run_round

Open = Callable[[Path, int, int], System]
"""Takes folder, threads and capacity in tokens; returns the system, ready to run."""


def refuse(rows: int) -> float:
    raise ValueError("this process measures no bandwidth")


@dataclass
class Turns:
    """The answers of one process; `system` is what its first request opened."""

    open_system: Open
    measure_bandwidth: Callable[[int], float]
    system: System | None = None

    def answer(self, request: dict[str, Any], send: Send) -> dict[str, Any]:
        if "bandwidth" in request:
            return {"gb_s": self.measure_bandwidth(request["bandwidth"])}
        if self.system is None:
            began = time.perf_counter()
            self.system = self.open_system(Path(request["folder"]), request["threads"], request["capacity"])
            return {"load_s": time.perf_counter() - began}
        return asdict(run_round(self.system, np.array(request["prompt"], np.int64), request["new"]))


def serve_turns(open_system: Open, measure_bandwidth: Callable[[int], float] = refuse) -> None:
    """Open the system of the first request, then answer the others until the parent has gone."""
    serve(Turns(open_system, measure_bandwidth).answer)
