"""Measures the four products of every layer: by ONNX Runtime's operator, and by kernels that could take its place.

Each layer has weights of its own, so that no cache holds them. A kernel's last product is compared with NumPy's before
it is timed.
"""

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

ROUNDS = {ONE: 7, MANY: 3}
"""By rows, at most."""

CLOSE = 1e-4  # of the largest value of a product


def measure_ceiling(plan: Plan) -> dict[str, Any]:
    """Measure milliseconds of all layers by form, rows, kernel and threads; `missing` says what this machine lacks."""
    try:
        kernels = Kernels()
    except Missing as missing:
        return {"missing": str(missing), "forms": {}}
    gate = Gate(plan.patience)
    forms = {name: measure_form(name, kernels, gate, plan) for name in FORMS}
    lacking = None if kernels.has_tiles else "this processor has no tiles of AMX"
    return {"missing": lacking, "layers": plan.shape.n_layer, "forms": forms, "gate": gate.to_json()}


def measure_form(name: str, kernels: Kernels, gate: Gate, plan: Plan) -> dict[str, Any]:
    """Measure a form: the operator and every kernel in turns."""
    form, threads = FORMS[name], sorted({1, choose_threads()})
    model, size = stack_layers(OPERATORS[name], plan.shape)
    sessions = {count: open_model(model, count) for count in threads}
    del model
    layers = Layers(form, plan.shape)
    times = {}
    for rows, named in form.kernels.items():
        chosen = {word: each for word, each in named.items() if kernels.has_tiles or not each.needs_tiles}
        layers.check(kernels, [each for word, each in chosen.items() if word != READ], int(rows))
        turns = Turns(sessions, kernels, layers, gate)
        times[rows] = turns.measure(chosen, int(rows), min(plan.rounds, ROUNDS[rows]))
    return {"weights": layers.weights, "bytes": size, "ms": times}


def list_products(shape: Shape) -> list[tuple[int, int]]:
    """Return the length and the columns of a layer's four products."""
    width = shape.n_embd
    return [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]


def stack_layers(write: Write, shape: Shape) -> tuple[bytes, int]:
    """Return a chain of all layers' products, and the bytes of its weights and scales."""
    stack, x = start_stack(), make_input("x", shape.n_embd)
    value, operand = x, stack.builder.integers
    for layer in range(shape.n_layer):
        for place, (length, columns) in enumerate(list_products(shape)):
            name = f"{layer}.{place}"
            if place == 1:  # attention's output is as wide as a value
                ends = [operand("begin", [0]), operand("end", [length]), operand("axis", [-1])]
                value = stack.builder.op(f"{name}.values", "Slice", [value, *ends])
            value = write(stack, name, value, length, columns)
    return write_stack(stack, [x], [value]), stack.bytes


class Layers:
    """The products of all layers, packed for each kernel that reads them, in memory of their own."""

    def __init__(self, form: Form, shape: Shape) -> None:
        random = np.random.default_rng(0)
        self.products = [
            draw_weights(random, form.bits, columns, length, form.block or length)
            for length, columns in list_products(shape)
        ]
        self.most = max(each.columns for each in self.products)
        self.count = shape.n_layer
        self.weights = self.count * sum(each.steps.size for each in self.products)
        self.copies: dict[int | None, list[Copies]] = {}

    def pack(self, kernel: Kernel) -> list[Copies]:
        """Return the copies of each product in a kernel's layout, made the first time."""
        if kernel.group not in self.copies:
            self.copies[kernel.group] = [Copies(each, kernel.pack(each), self.count) for each in self.products]
        return self.copies[kernel.group]

    def arrange(self, kernel: Kernel) -> list[Matrix]:
        """Return the matrices in the order of a model: layer by layer."""
        layers = zip(*(each.matrices for each in self.pack(kernel)), strict=True)
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
    """The operator, in a session for each number of threads, and kernels, which run one after the other."""

    sessions: Mapping[int, ort.InferenceSession]
    kernels: Kernels
    layers: Layers
    gate: Gate

    def measure(self, chosen: Mapping[str, Kernel], rows: int, rounds: int) -> dict[str, Any]:
        """Return the spread of milliseconds by name and threads."""
        length = max(each.length for each in self.layers.products)
        x = np.random.default_rng(0).standard_normal((rows, length), np.float32)
        samples: dict[str, dict[str, list[float]]] = {}
        for number in range(rounds + 1):
            for threads in self.sessions:
                for name, taken in self.take(chosen, x, threads):
                    found = samples.setdefault(name, {}).setdefault(str(threads), [])
                    if number:  # round 0 allocates memory
                        found.append(taken)
        return {
            name: {threads: summarize(each).to_json() for threads, each in found.items()}
            for name, found in samples.items()
        }

    def take(self, chosen: Mapping[str, Kernel], x: Array, threads: int) -> Iterator[tuple[str, float]]:
        """Yield the milliseconds of the operator, then of each kernel."""
        width = min(each.length for each in self.layers.products)
        feed = {"x": np.ascontiguousarray(x[np.newaxis, :, :width])}
        self.gate.wait()
        time.sleep(PAUSE)  # until the threads of the product that the gate waits with stop spinning
        began = time.perf_counter()
        self.sessions[threads].run(None, feed)
        yield OPERATOR, 1e3 * (time.perf_counter() - began)
        for name, kernel in chosen.items():
            self.gate.wait()
            time.sleep(PAUSE)
            seconds, _ = self.kernels.multiply(
                kernel.function, self.layers.arrange(kernel), x, self.layers.most, threads
            )
            yield name, 1e3 * seconds
