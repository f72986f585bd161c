"""What a process that holds one system does: it takes its turns. See `turns`, which starts it.

So that neither the memory nor the waiting threads of one system show in the numbers of the other. One line of JSON
comes in, one goes out; the first one says what to open:

    {"folder", "threads", "capacity"}    {"load_s"}
    {"prompt": [...], "new"}             {"prefill_ms", "token_ms", "text"}
    {"bandwidth": rows}                  {"gb_s"}
"""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gpt2forge.measure.systems import System, run_round

Open = Callable[[Path, int, int], System]
"""(folder, threads, capacity): the system, ready."""


def refuse(rows: int) -> float:
    raise ValueError("this process measures no bandwidth")


def serve(open_system: Open, measure_bandwidth: Callable[[int], float] = refuse) -> None:
    """Open what the first line says, then answer line by line until the other side goes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    order = json.loads(sys.stdin.readline())
    began = time.perf_counter()
    system = open_system(Path(order["folder"]), order["threads"], order["capacity"])
    say(answers, {"load_s": time.perf_counter() - began})
    for line in iter(take_orders().get, None):
        turn = json.loads(line)
        if "bandwidth" in turn:
            say(answers, {"gb_s": measure_bandwidth(turn["bandwidth"])})
        else:
            say(answers, asdict(run_round(system, np.array(turn["prompt"], np.int64), turn["new"])))


def take_orders() -> "queue.SimpleQueue[str]":
    """The lines that come in. When the other side has gone this process ends at once, also in the middle of a turn."""
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            orders.put(line)
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    return orders


def say(answers: Any, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
