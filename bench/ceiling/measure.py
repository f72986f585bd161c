"""Measures the four products of every layer: by ONNX Runtime's operator, and by kernels that could take its place.

Each layer has weights of its own, so that no cache holds them. A kernel's last product is compared with NumPy's before
it is timed.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from bench.ceiling.forms import FORMS, MANY, ONE, OPERATOR, READ, Form, Kernel
from bench.ceiling.layouts import Array, draw_weights, multiply
from bench.ceiling.library import Copies, Kernels, Matrix, Missing
from bench.kernels import FORMS as OPERATORS
from bench.kernels import PAUSE, Write, make_input, open_model, start_stack, write_stack
from bench.plan import Plan
from bench.quiet import Gate
from bench.shapes import Shape
from gpt2forge.measure.spread import summarize
from gpt2forge.processors import choose_threads

ROUNDS = {ONE: 5, MANY: 3}
LAYERS = {ONE: 36, MANY: 6}
"""By rows, at most: with many rows the products take longer than reading their weights, wherever these are."""

PATIENCE = 10.0  # seconds that the whole part may wait for a quiet machine

CLOSE = 1e-4  # of the largest value of a product


def measure_ceiling(plan: Plan) -> dict[str, Any]:
    """Measure milliseconds of a layer by form, rows, kernel and threads; `missing` says what this machine lacks."""
    try:
        kernels = Kernels()
    except Missing as missing:
        return {"missing": str(missing), "forms": {}}
    load, gate = os.getloadavg()[0], Gate(min(plan.patience, PATIENCE))
    forms = {name: measure_form(name, kernels, gate, plan) for name in FORMS}
    lacking = None if kernels.has_tiles else "this processor has no tiles of AMX"
    layers = {rows: count_layers(plan.shape, rows) for rows in LAYERS}
    return {"missing": lacking, "layers": layers, "forms": forms, "load_before": load, "gate": gate.to_json()}


def measure_form(name: str, kernels: Kernels, gate: Gate, plan: Plan) -> dict[str, Any]:
    """Measure a form: the operator and every kernel in turns."""
    form, shape, times = FORMS[name], plan.shape, {}
    layers, size = Layers(form, shape), 0
    for rows, named in form.kernels.items():
        count = count_layers(shape, rows)
        model, size = stack_layers(OPERATORS[name], shape, count)
        sessions = {threads: open_model(model, threads) for threads in sorted({1, choose_threads()})}
        chosen = {word: each for word, each in named.items() if kernels.has_tiles or not each.needs_tiles}
        layers.check(kernels, [each for word, each in chosen.items() if word != READ], int(rows))
        turns = Turns(sessions, kernels, layers, count, gate)
        times[rows] = turns.measure(chosen, int(rows), min(plan.rounds, ROUNDS[rows]))
    return {"weights": layers.weights, "bytes": size, "ms": times}


def count_layers(shape: Shape, rows: str) -> int:
    return min(shape.n_layer, LAYERS[rows])


def list_products(shape: Shape) -> list[tuple[int, int]]:
    """Return the length and the columns of a layer's four products."""
    width = shape.n_embd
    return [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]


def stack_layers(write: Write, shape: Shape, count: int) -> tuple[bytes, int]:
    """Return a chain of the products of `count` layers, and the bytes of a layer's weights and scales."""
    stack, x = start_stack(), make_input("x", shape.n_embd)
    value, operand = x, stack.builder.integers
    for layer in range(count):
        for place, (length, columns) in enumerate(list_products(shape)):
            name = f"{layer}.{place}"
            if place == 1:  # attention's output is as wide as a value
                ends = [operand("begin", [0]), operand("end", [length]), operand("axis", [-1])]
                value = stack.builder.op(f"{name}.values", "Slice", [value, *ends])
            value = write(stack, name, value, length, columns)
    return write_stack(stack, [x], [value]), stack.bytes // count


class Layers:
    """The products of all layers, packed for each kernel that reads them, in memory of their own."""

    def __init__(self, form: Form, shape: Shape) -> None:
        random = np.random.default_rng(0)
        self.products = [
            draw_weights(random, form.bits, columns, length, form.block or length)
            for length, columns in list_products(shape)
        ]
        self.most = max(each.columns for each in self.products)
        self.count = count_layers(shape, ONE)
        self.weights = sum(each.steps.size for each in self.products)
        self.copies: dict[int | None, list[Copies]] = {}

    def pack(self, kernel: Kernel) -> list[Copies]:
        """Return the copies of each product in a kernel's layout, made the first time."""
        if kernel.group not in self.copies:
            self.copies[kernel.group] = [Copies(each, kernel.pack(each), self.count) for each in self.products]
        return self.copies[kernel.group]

    def arrange(self, kernel: Kernel, count: int) -> list[Matrix]:
        """Return the matrices of `count` layers in the order of a model: layer by layer."""
        layers = zip(*(each.matrices[:count] for each in self.pack(kernel)), strict=True)
        return [matrix for layer in layers for matrix in layer]

    def check(self, kernels: Kernels, chosen: Iterable[Kernel], rows: int) -> None:
        """Compare each kernel's products with those of a layer in NumPy. Raises ArithmeticError where they differ."""
        for place, weights in enumerate(self.products):
            x = np.random.default_rng(place).standard_normal((rows, weights.length), np.float32)
            expected = multiply(x, weights)
            for kernel in chosen:
                for threads in (1, 2):
                    matrix = self.pack(kernel)[place].matrices[:1]
                    _, found = kernels.multiply(kernel.function, matrix, x, weights.columns, threads)
                    if np.abs(found - expected).max() > CLOSE * np.abs(expected).max():
                        raise ArithmeticError(f"`{kernel.function}` with {threads} threads is not what NumPy computes")


@dataclass(frozen=True)
class Turns:
    """The operator, in a session for each number of threads, and kernels, one after the other, on `count` layers."""

    sessions: Mapping[int, ort.InferenceSession]
    kernels: Kernels
    layers: Layers
    count: int
    gate: Gate

    def measure(self, chosen: Mapping[str, Kernel], rows: int, rounds: int) -> dict[str, Any]:
        """Return the spread of milliseconds of a layer by name and threads."""
        length = max(each.length for each in self.layers.products)
        x = np.random.default_rng(0).standard_normal((rows, length), np.float32)
        samples: dict[str, dict[str, list[float]]] = {}
        for number in range(rounds + 1):
            for threads in self.sessions:
                for name, taken in self.take(chosen, x, threads):
                    found = samples.setdefault(name, {}).setdefault(str(threads), [])
                    if number:  # round 0 allocates memory
                        found.append(1e3 * taken / self.count)
        return {
            name: {threads: summarize(each).to_json() for threads, each in found.items()}
            for name, found in samples.items()
        }

    def take(self, chosen: Mapping[str, Kernel], x: Array, threads: int) -> Iterator[tuple[str, float]]:
        """Yield the seconds of the operator, then of each kernel."""
        width = min(each.length for each in self.layers.products)
        feed = {"x": np.ascontiguousarray(x[np.newaxis, :, :width])}
        self.gate.wait()
        time.sleep(PAUSE)  # until the threads of the product that the gate waits with stop spinning
        began = time.perf_counter()
        self.sessions[threads].run(None, feed)
        yield OPERATOR, time.perf_counter() - began
        for name, kernel in chosen.items():
            matrices = self.layers.arrange(kernel, self.count)
            seconds, _ = self.kernels.multiply(kernel.function, matrices, x, self.layers.most, threads)
            yield name, seconds
