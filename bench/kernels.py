"""Products alone, of a layer's widest matrices and of the LM head: the cost of each form of weights in onnxruntime.

Every product has a weight of its own, and all of them are more than a cache holds, as in a model. The nodes are those
behind a norm of our graphs, with the nodes that quantize the rows of activations and without biases. One more form has
one scale for all rows, as Optimum's dynamic quantization does.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort

from bench.plan import Plan
from bench.quiet import Gate
from bench.shapes import Shape
from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.graph.gpt2 import IR_VERSION, OPSET
from gpt2forge.measure.bandwidth import Bandwidth
from gpt2forge.measure.spread import summarize
from gpt2forge.quantize.activations import SIGNED
from gpt2forge.quantize.blocks import count_blocks
from gpt2forge.quantize.data_file import Region
from gpt2forge.quantize.few_rows import MANY, ChannelWeight, write_either_matmul
from gpt2forge.quantize.matmul import BlockMatrix, write_block_matmul, write_integer_matmul
from gpt2forge.runtime.session import make_options

PAIRS, GROUPS, HEADS = 8, 20, 2  # 774M's 105, 98 and 129 million weights
REPEATS = 5  # of one row, which takes little time; their median counts
ROUNDS = 5  # at most
FLOAT_ARITHMETIC = 1  # accuracy_level
CHANNEL_BLOCK = 128  # of weights per channel, where few rows of them are multiplied in blocks
PAUSE = 0.1  # seconds until the threads of the form before stop spinning
OPSETS = {"": OPSET, MICROSOFT: 1}

Write = Callable[["Stack", str, ir.Value, int, int], ir.Value]
"""Writes the product of a value (1, S, K) with a weight (K, N) of its own, under a name."""


@dataclass
class Stack:
    """A graph of products; `bytes` of weights and scales are what one row has to read."""

    builder: Builder
    random: np.random.Generator
    bytes: int = 0

    def weigh(self, name: str, array: np.ndarray[Any, Any]) -> ir.Value:
        self.bytes += array.nbytes
        return self.builder.constant(name, array)


def write_floats(stack: Stack, name: str, x: ir.Value, length: int, columns: int) -> ir.Value:
    weight = stack.random.standard_normal((length, columns), np.float32) / np.float32(length**0.5)
    return stack.builder.op(name, "MatMul", [x, stack.weigh(f"{name}.weight", weight)])


def write_blocks(bits: int, block: int, is_exact: bool = False) -> Write:
    """Return the form of weights in blocks.

    With `is_exact`, activations stay float32: rounding them is most of the cost of int8 in fidelity.
    """

    def write(stack: Stack, name: str, x: ir.Value, length: int, columns: int) -> ir.Value:
        blocks = count_blocks(length, block)
        matrix = BlockMatrix(f"{name}.weight", length, columns, bits, block, Region(0, 0), Region(0, 0))
        # The zero point is in the middle of the range.
        steps = stack.random.integers(1, 1 << bits, (columns, blocks, block), np.uint8)
        data = steps if bits == 8 else steps[..., ::2] | steps[..., 1::2] << 4
        stack.weigh(f"{name}.weight.blocks", data)
        stack.weigh(f"{name}.weight.scales", np.full((columns, blocks), scale(bits, length), np.float32))
        product = write_block_matmul(stack.builder, name, x, matrix)
        if is_exact:
            stack.builder.nodes[-1].attributes["accuracy_level"] = ir.AttrInt64("accuracy_level", FLOAT_ARITHMETIC)
        return product

    return write


def write_channels(stack: Stack, name: str, x: ir.Value, length: int, columns: int) -> ir.Value:
    steps, factors = weigh_channels(stack, name, length, columns, SIGNED.count)
    return write_integer_matmul(stack.builder, name, x, SIGNED, steps, factors)


def write_dynamic(stack: Stack, name: str, x: ir.Value, length: int, columns: int) -> ir.Value:
    steps, factors = weigh_channels(stack, name, length, columns, 1)
    return stack.builder.node(name, "DynamicQuantizeMatMul", [x, steps, factors], domain=MICROSOFT)[0]


def write_twice(stack: Stack, name: str, x: ir.Value, length: int, columns: int) -> ir.Value:
    """Write an If: few rows take weights in blocks that all have the scale of their column, many take the channels."""
    steps, factors = weigh_channels(stack, name, length, columns, SIGNED.count)
    assert steps.const_value is not None
    shape = (count_blocks(length, CHANNEL_BLOCK), CHANNEL_BLOCK, columns)
    unsigned = stack.builder.constant(f"{name}.unsigned", steps.const_value.numpy().view(np.uint8).reshape(shape))
    weight = ChannelWeight(steps, unsigned, factors)
    return write_either_matmul(stack.builder, name, x, SIGNED, weight, ask_many(stack.builder, x))


def ask_many(new: Builder, x: ir.Value) -> ir.Value:
    """Return whether x (1, S, K) has many rows, (); asked once, as all values of a graph have as many."""
    known = [node for node in new.nodes if node.name == "many.are"]
    if known:
        return known[0].outputs[0]
    rows = new.op("many.rows", "Squeeze", [new.op("many.list", "Shape", [x], {"start": 1, "end": 2})])
    return new.op("many.are", "GreaterOrEqual", [rows, new.integers("many.least", MANY)])


def weigh_channels(stack: Stack, name: str, length: int, columns: int, levels: int) -> tuple[ir.Value, ir.Value]:
    steps = stack.random.integers(-127, 128, (length, columns), np.int8)
    factors = np.full(columns, scale(8, length) / levels, np.float32)
    return stack.weigh(f"{name}.steps", steps), stack.weigh(f"{name}.factors", factors)


def scale(bits: int, length: int) -> float:
    """Return the scale that keeps the magnitudes of a chain of products, for steps spread evenly over their range."""
    return float(12**0.5 / 2**bits / length**0.5)


FORMS: dict[str, Write] = {
    "fp32": write_floats,
    "int8 per channel": write_channels,
    "int8 per channel, one scale for all rows": write_dynamic,
    "int8 per channel, few rows in blocks of 128": write_twice,
    **{f"int8 blocks of {block}": write_blocks(8, block) for block in (32, 64, 128, 256)},
    **{f"int4 blocks of {block}": write_blocks(4, block) for block in (32, 64, 128)},
    "int8 blocks of 128, float activations": write_blocks(8, 128, is_exact=True),
}


@dataclass
class Products:
    """A session of `count` equal groups of products, of `weights` each; one row of a group reads `bytes`."""

    session: ort.InferenceSession
    count: int
    weights: int
    bytes: int

    def feed(self, rows: int) -> dict[str, Any]:
        shapes = {each.name: each.shape[-1] for each in self.session.get_inputs()}
        random = np.random.default_rng(0)
        return {name: random.standard_normal((1, rows, width), np.float32) for name, width in shapes.items()}


def stack_mlps(write: Write, shape: Shape) -> Products:
    """Stack MLPs without activations, each on top of the one before it."""
    stack, x, inner = start_stack(), make_input("x", shape.n_embd), 4 * shape.n_embd
    value = x
    for pair in range(PAIRS):
        value = write(stack, f"{pair}.c_fc", value, shape.n_embd, inner)
        value = write(stack, f"{pair}.c_proj", value, inner, shape.n_embd)
    return open_stack(stack, [x], [value], PAIRS, 2 * shape.n_embd * inner)


def stack_beside(write: Write, length: int, columns: Sequence[int], count: int) -> Products:
    """Put groups side by side, each with an input of its own and one product for each of `columns`."""
    stack = start_stack()
    inputs = [make_input(f"x{group}", length) for group in range(count)]
    values = [
        write(stack, f"{group}.{place}", x, length, width)
        for group, x in enumerate(inputs)
        for place, width in enumerate(columns)
    ]
    return open_stack(stack, inputs, values, count, length * sum(columns))


def stack_packed(write: Write, shape: Shape) -> Products:
    return stack_beside(write, shape.n_embd, [3 * shape.n_embd], GROUPS)


def stack_apart(write: Write, shape: Shape) -> Products:
    return stack_beside(write, shape.n_embd, [shape.n_embd] * 3, GROUPS)


def stack_heads(write: Write, shape: Shape) -> Products:
    return stack_beside(write, shape.n_embd, [shape.n_vocab], HEADS)


def start_stack() -> Stack:
    return Stack(Builder(), np.random.default_rng(0))


def make_input(name: str, width: int) -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape((1, "rows", width)))


def open_stack(stack: Stack, inputs: list[ir.Value], outputs: list[ir.Value], count: int, weights: int) -> Products:
    session = open_model(write_stack(stack, inputs, outputs))
    return Products(session, count, weights, stack.bytes // count)


def write_stack(stack: Stack, inputs: list[ir.Value], outputs: list[ir.Value]) -> bytes:
    """Return the graph of a stack as a model that holds its weights."""
    for value in outputs:
        value.type = ir.TensorType(ir.DataType.FLOAT)
    nodes, weighed = stack.builder.nodes, tuple(stack.builder.initializers.values())
    graph = ir.Graph(inputs, outputs, nodes=nodes, initializers=weighed, opset_imports=OPSETS, name="products")
    model: bytes = ir.to_proto(ir.Model(graph, ir_version=IR_VERSION)).SerializeToString()
    return model


def open_model(model: bytes, threads: int = 0) -> ort.InferenceSession:
    return ort.InferenceSession(model, make_options(threads), providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class Part:
    """Products of a model: how to stack them, with how many rows to run them, and in which forms."""

    stack: Callable[[Write, Shape], Products]
    rows: tuple[int, ...]
    forms: tuple[str, ...] = tuple(FORMS)


SHIPPED_FORMS = ("fp32", "int8 per channel", "int8 blocks of 128", "int4 blocks of 32")
PARTS = {
    "both matrices of an MLP": Part(stack_mlps, (1, 16, 64, 256)),
    "queries, keys and values in one product": Part(stack_packed, (1, 64), SHIPPED_FORMS),
    "queries, keys and values in three products": Part(stack_apart, (1, 64), SHIPPED_FORMS),
    "the LM head": Part(stack_heads, (1, 64), SHIPPED_FORMS),
}


def measure_kernels(bandwidth: Bandwidth, plan: Plan) -> dict[str, Any]:
    """Measure milliseconds of each form by rows, in turns, and the memory's speed meanwhile."""
    gate = Gate(plan.patience)
    found = {what: measure_part(part, bandwidth, gate, plan.rounds, plan.shape) for what, part in PARTS.items()}
    return {"products": found, "memory_gb_s": bandwidth.to_json(), "gate": gate.to_json()}


def measure_part(part: Part, bandwidth: Bandwidth, gate: Gate, rounds: int, shape: Shape) -> dict[str, Any]:
    products = {name: part.stack(FORMS[name], shape) for name in part.forms}
    samples: dict[str, dict[int, list[float]]] = {name: {rows: [] for rows in part.rows} for name in products}
    for number in range(min(rounds, ROUNDS) + 1):
        bandwidth.sample()
        for rows in part.rows:
            for name, each in products.items():
                gate.wait()
                taken = time_products(each, rows)
                if number:  # round 0 allocates memory
                    samples[name][rows].append(taken)
    spreads = {
        name: {str(rows): summarize(taken).to_json() for rows, taken in found.items()}
        for name, found in samples.items()
    }
    forms = {name: {"bytes": each.bytes, "ms": spreads[name]} for name, each in products.items()}
    return {"weights": next(iter(products.values())).weights, "forms": forms}


def time_products(products: Products, rows: int) -> float:
    """Return the milliseconds of one group."""
    feed, taken = products.feed(rows), []
    time.sleep(PAUSE)
    for _ in range(REPEATS if rows == 1 else 1):
        began = time.perf_counter()
        products.session.run(None, feed)
        taken.append(1e3 * (time.perf_counter() - began) / products.count)
    return statistics.median(taken)
