"""Multiplies weights that have one scale for each output channel in two ways: few rows in blocks, many by channel.

onnxruntime's product per channel is the fastest one for a prompt, and its product in blocks for one token. Both read
the same bytes here. Each layer has an If:

1. Fewer than MANY tokens take MatMulNBits. All blocks of a column have the column's scale.
2. More take MatMulIntegerToFloat. Its int8 weights are computed from constants alone, so onnxruntime does that once,
   when it opens the graph. A session then holds both packed forms.

Weights are stored as MatMulNBits reads them, (out, blocks, block) of uint8 around MIDDLE.
"""

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.graph.edit import index_nodes, replace_nodes, start_edit
from gpt2forge.graph.interface import INPUT_IDS
from gpt2forge.quantize.activations import Levels, choose_levels
from gpt2forge.quantize.data_file import Layout, refer
from gpt2forge.quantize.matmul import INT8_ARITHMETIC, write_integer_matmul
from gpt2forge.quantize.scheme import Storage
from gpt2forge.quantize.stored_weight import StoredWeight

MANY = 8  # tokens, of all texts together
BLOCKS = (128, 64, 32, 16)
MIDDLE = 128  # the uint8 that means 0


def choose_block(length: int) -> int | None:
    """Return the longest block that divides `length`; None if there is none."""
    return next((block for block in BLOCKS if length % block == 0), None)


def rewrite_few_rows(
    graph: ir.Graph, node: ir.Node, source: ir.ExternalTensor, storage: Storage, layout: Layout, *, block: int
) -> StoredWeight:
    """Replace a MatMul whose weight is `source` (in, out) by an If of both products; `block` divides `in`."""
    is_many = find_many(graph)
    builder, x = start_edit(graph), node.inputs[0]
    assert node.name is not None and x is not None
    name, (length, columns) = f"{node.name}.weight", source.shape.numpy()
    data, scales = layout.reserve(length * columns), layout.reserve(4 * columns)
    steps = refer(f"{name}.around_middle", ir.DataType.UINT8, (columns, length // block, block), data)
    factors = refer(f"{name}.factors", ir.DataType.FLOAT, (columns, 1), scales)
    builder.initializers.update({str(value.name): value for value in (steps, factors)})
    branches = {
        "then_branch": write_many(builder, node.name, x, steps, factors, choose_levels(x)),
        "else_branch": write_few(builder, node.name, x, steps, factors),
    }
    builder.node(node.name, "If", [is_many], branches, outputs=[str(node.outputs[0].name)])
    replace_nodes(graph, [node], builder)
    return StoredWeight(source=source, storage=storage, data=data, scales=scales, by_column=True)


def find_many(graph: ir.Graph) -> ir.Value:
    """Return whether there are at least MANY tokens, (); its nodes are inserted at the first call."""
    known = index_nodes(graph).get("few_rows.is_many")
    if known:
        return known.outputs[0]
    new = start_edit(graph)
    (ids,) = (value for value in graph.inputs if value.name == INPUT_IDS)
    count = new.op("few_rows.count", "Size", [ids])  # ()
    is_many = new.op("few_rows.is_many", "GreaterOrEqual", [count, new.integers("few_rows.many", MANY)])
    for value in new.initializers.values():
        if value.name not in graph.initializers:
            graph.register_initializer(value)
    graph.insert_before(graph[0], new.nodes)
    return is_many


def write_few(new: Builder, name: str, x: ir.Value, steps: ir.Value, factors: ir.Value) -> ir.Graph:
    """Return the branch for few rows, and add what it computes of constants to `new`."""
    columns, blocks, block = read_shape(steps)
    shape = new.integers(f"few_rows.scales.{columns}.{blocks}", [columns, blocks])
    scales = new.op(f"{name}.weight.scales", "Expand", [factors, shape])  # (N, blocks)
    sizes = {"K": blocks * block, "N": columns, "bits": 8, "block_size": block, "accuracy_level": INT8_ARITHMETIC}
    branch = Builder(initializers=new.initializers)
    product = branch.node(f"{name}.few", "MatMulNBits", [x, steps, scales], sizes, domain=MICROSOFT)[0]
    return make_branch(f"{name}.few", branch, product)


def write_many(new: Builder, name: str, x: ir.Value, steps: ir.Value, factors: ir.Value, levels: Levels) -> ir.Graph:
    """Return the branch for many rows, and add what it computes of constants to `new`."""
    columns, blocks, block = read_shape(steps)
    shape = new.integers(f"few_rows.matrix.{columns}.{blocks * block}", [columns, blocks * block])
    flat = new.op(f"{name}.weight.flat", "Reshape", [steps, shape])  # (N, K)
    wide = new.op(f"{name}.weight.wide", "Cast", [flat], {"to": int(ir.DataType.INT32)})
    middle = new.constant("few_rows.middle", np.array(MIDDLE, np.int32))
    signed = new.op(f"{name}.weight.signed", "Sub", [wide, middle])
    narrow = new.op(f"{name}.weight.narrow", "Cast", [signed], {"to": int(ir.DataType.INT8)})
    weights = new.op(f"{name}.weight.steps", "Transpose", [narrow], {"perm": [1, 0]})  # (K, N)
    row = new.op(f"{name}.weight.row", "Reshape", [factors, new.integers("few_rows.row", [-1])])  # (N,)
    each = new.op(f"{name}.weight.each", "Div", [row, new.floats(f"few_rows.{levels.name}", levels.count)])
    branch = Builder(initializers=new.initializers)
    product = write_integer_matmul(branch, f"{name}.many", x, levels, weights, each)
    return make_branch(f"{name}.many", branch, product)


def read_shape(steps: ir.Value) -> tuple[int, ...]:
    assert steps.shape is not None
    return steps.shape.numpy()


def make_branch(name: str, branch: Builder, output: ir.Value) -> ir.Graph:
    output.type = ir.TensorType(ir.DataType.FLOAT)
    return ir.Graph([], [output], nodes=branch.nodes, name=name)
