"""The products of layers in sessions of other options, in turns: which of onnxruntime's switches are worth turning."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnxruntime as ort

from bench.ceiling.measure import stack_layers
from bench.kernels import FORMS, PAUSE
from bench.plan import Plan
from bench.quiet import Gate
from gpt2forge.measure.spread import summarize
from gpt2forge.processors import choose_threads
from gpt2forge.runtime.session import CALM, QUIET, make_options

MEASURED = ("int8 blocks of 128", "int4 blocks of 128", "int8 per channel")
LAYERS = 8  # 160 MB of int8: more than the second level of any cache
ROWS = {1: 9, 64: 3}
"""The rounds of each number of rows, at most."""

PATIENCE = 5.0  # seconds that the whole part may wait for a quiet machine
USUAL = "as our sessions are"

Change = Callable[[ort.SessionOptions], None]


def turn(name: str, value: str) -> Change:
    """Return the change of one entry."""
    return lambda options: options.add_session_config_entry(name, value)


def pin_threads(options: ort.SessionOptions) -> None:
    """Bind every thread but the first to a processor of its own."""
    places = [str(place + 1) for place in range(1, options.intra_op_num_threads)]  # they count from 1
    if places:
        options.add_session_config_entry("session.intra_op_thread_affinities", ";".join(places))


def leave_arena(options: ort.SessionOptions) -> None:
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False


OPTIONS: Mapping[str, Change] = {
    USUAL: lambda options: None,
    "threads that spin between runs too": turn(CALM, "0"),
    "threads that never spin": turn("session.intra_op.allow_spinning", "0"),
    "work in parts that become smaller": turn("session.dynamic_block_base", "4"),
    "threads bound to processors": pin_threads,
    "products by lookup tables": turn("mlas.use_lut_gemm", "1"),
    "memory from the system for every value": leave_arena,
}
"""What is changed of the options of our sessions."""


def measure_options(plan: Plan) -> dict[str, Any]:
    """Measure milliseconds of a layer by form, option and rows."""
    ort.set_default_logger_severity(QUIET)  # it warns of every entry that is given another value
    load, gate = os.getloadavg()[0], Gate(min(plan.patience, PATIENCE))
    count = min(plan.shape.n_layer, LAYERS)
    forms = {}
    for form in MEASURED:
        model, _ = stack_layers(FORMS[form], plan.shape, count)
        sessions = {name: open_changed(model, change) for name, change in OPTIONS.items()}
        found: dict[str, dict[str, Any]] = {name: {} for name in sessions}
        for rows, rounds in ROWS.items():
            feed = {"x": np.random.default_rng(0).standard_normal((1, rows, plan.shape.n_embd), np.float32)}
            for name, taken in take_turns(sessions, feed, min(rounds, plan.rounds), gate).items():
                found[name][str(rows)] = summarize([each / count for each in taken]).to_json()
        forms[form] = found
    return {"forms": forms, "load_before": load, "gate": gate.to_json()}


def open_changed(model: bytes, change: Change) -> ort.InferenceSession:
    options = make_options(choose_threads())
    change(options)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def take_turns(
    sessions: Mapping[str, ort.InferenceSession], feed: Mapping[str, Any], rounds: int, gate: Gate
) -> dict[str, list[float]]:
    """Return the milliseconds of each round of each session."""
    samples: dict[str, list[float]] = {name: [] for name in sessions}
    for number in range(rounds + 1):
        gate.wait()
        for name, session in sessions.items():
            time.sleep(PAUSE)  # until the threads of the session before stop spinning
            began = time.perf_counter()
            session.run(None, dict(feed))
            if number:  # round 0 allocates memory
                samples[name].append(1e3 * (time.perf_counter() - began))
    return samples
