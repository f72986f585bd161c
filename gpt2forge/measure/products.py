"""Times products of activations with weights in one form: what a form costs on this machine.

Each of several equal products has a weight of its own, so that together they take the memory that they take in a
model. The nodes are those of a package, with the nodes that quantize rows of activations and without biases.
"""

import statistics
import time
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from gpt2forge.checkpoint.config import ModelConfig
from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.graph.gpt2 import IR_VERSION, OPSET
from gpt2forge.quantize.activations import SIGNED
from gpt2forge.quantize.blocks import count_blocks
from gpt2forge.quantize.data_file import Region
from gpt2forge.quantize.forms import TOKENS, Form
from gpt2forge.quantize.matmul import BlockMatrix, write_block_matmul, write_integer_matmul
from gpt2forge.runtime.session import open_bytes

NOWHERE = Region(0, 0)  # weights are in the model itself
SHORTEST = 0.02  # seconds that are measured at least
REPEATS = 5
LARGEST = 1 << 28  # bytes of the weights of a session, at most


@dataclass(frozen=True)
class Products:
    """`count` equal products of rows (rows, length) with weights (length, columns); no `form` means float32."""

    length: int
    columns: int
    form: Form | None
    count: int = 1

    @property
    def fitting(self) -> int:
        """Return how many of them fit into LARGEST bytes."""
        return max(1, min(self.count, LARGEST // (4 * self.length * self.columns)))


def list_shapes(config: ModelConfig) -> dict[str, tuple[int, int]]:
    """Return the shape (in, out) of each kind of weight that is multiplied; TOKENS is the LM head."""
    width, inner = config.n_embd, config.n_inner
    attention = {"attn.c_attn": (width, 3 * width), "attn.c_proj": (width, width)}
    return {**attention, "mlp.c_fc": (width, inner), "mlp.c_proj": (inner, width), TOKENS: (width, config.vocab_size)}


def find_length(weight: str, config: ModelConfig) -> int:
    """Return the length of a weight along which it is cut into blocks."""
    return list_shapes(config).get(weight.split(".", 2)[-1], (config.n_embd, 0))[0]


def time_products(products: Products, rows: int, *, is_exact: bool, threads: int = 0) -> float:
    """Return the milliseconds of one product, the median of several measurements.

    `is_exact`: as weights of 8 bits for each channel need it on processors whose products saturate.
    """
    model = ir.to_proto(make_products(products)).SerializeToString()
    session = open_bytes(model, threads, is_exact=is_exact)
    feed = {"x": np.random.default_rng(0).standard_normal((1, rows, products.length), np.float32)}
    session.run(None, feed)
    taken: list[float] = []
    while len(taken) < REPEATS or sum(taken) < SHORTEST:
        began = time.perf_counter()
        session.run(None, feed)
        taken.append(time.perf_counter() - began)
    return 1e3 * statistics.median(taken) / products.fitting


def make_products(products: Products) -> ir.Model:
    """Return a model with an input `x` (1, rows, length) and an output for each product."""
    builder, random = Builder(), np.random.default_rng(0)
    x = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape((1, "rows", products.length)))
    outputs = [write_product(builder, f"{number}", x, products, random) for number in range(products.fitting)]
    for output in outputs:
        output.type = ir.TensorType(ir.DataType.FLOAT)
    initializers, opsets = list(builder.initializers.values()), {"": OPSET, MICROSOFT: 1}
    graph = ir.Graph(
        [x], outputs, nodes=builder.nodes, initializers=initializers, opset_imports=opsets, name="products"
    )
    return ir.Model(graph, ir_version=IR_VERSION)


def write_product(
    builder: Builder, name: str, x: ir.Value, products: Products, random: np.random.Generator
) -> ir.Value:
    """Write one product with a random weight."""
    length, columns, form = products.length, products.columns, products.form
    if form is None:
        weight = builder.constant(f"{name}.weight", random.standard_normal((length, columns), np.float32))
        return builder.op(name, "MatMul", [x, weight])
    if not isinstance(form.granularity, int):
        steps = builder.constant(f"{name}.steps", random.integers(-63, 64, (length, columns), np.int8))
        factors = builder.constant(f"{name}.factors", np.ones(columns, np.float32))
        return write_integer_matmul(builder, name, x, SIGNED, steps, factors)
    block, blocks = form.granularity, count_blocks(length, form.granularity)
    matrix = BlockMatrix(f"{name}.weight", length, columns, form.bits, block, NOWHERE, NOWHERE)
    data = random.integers(0, 256, (columns, blocks, matrix.bytes_per_block), np.uint8)
    builder.constant(f"{matrix.name}.blocks", data)
    builder.constant(f"{matrix.name}.scales", np.ones((columns, blocks), np.float32))
    return write_block_matmul(builder, name, x, matrix)
