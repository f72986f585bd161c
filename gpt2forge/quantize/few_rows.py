"""Multiplies weights that have one scale for each output channel in two ways: few rows in blocks, many by channel.

onnxruntime's product per channel is the fastest one for a prompt, and its product in blocks for one token. Both read
the same bytes here, and the file is that of the form per channel. Each product is an If:

1. MANY tokens or more take MatMulIntegerToFloat, as everywhere in the form per channel.
2. Fewer take MatMulNBits, whose blocks all have the scale of their column. It wants the bytes in another order, as
   uint8 around MIDDLE. They are computed from constants alone, so onnxruntime does that once, when it opens the graph.

A session then holds both packed forms.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.graph.edit import index_nodes, insert_constants, start_edit
from gpt2forge.graph.interface import INPUT_IDS, MANY_TOKENS
from gpt2forge.quantize.activations import Levels
from gpt2forge.quantize.matmul import INT8_ARITHMETIC, write_integer_matmul

MANY = 8  # tokens, of all texts together
BLOCKS = (128, 64, 32, 16)
MIDDLE = 128  # the uint8 that means 0
FEW = ".few"  # the end of the names of the products of few rows


@dataclass(frozen=True)
class ChannelWeight:
    """A weight (K, N) with one scale for each of its N columns, as values of a graph.

    `unsigned` are the bytes of `steps`: -1 is 255. The scales are `factors` times the levels of the activations.
    """

    steps: ir.Value  # int8 (K, N)
    unsigned: ir.Value  # uint8 (K / block, block, N)
    factors: ir.Value  # (N,)


def choose_block(length: int) -> int | None:
    """Return the longest block that divides `length`; None if there is none."""
    return next((block for block in BLOCKS if length % block == 0), None)


def ask_many(graph: ir.Graph) -> ir.Value:
    """Return whether there are at least MANY tokens, padding included, (); its nodes are inserted at the first call."""
    known = index_nodes(graph).get("few_rows.is_many")
    if known:
        return known.outputs[0]
    new = start_edit(graph)
    (ids,) = (value for value in graph.inputs if value.name == INPUT_IDS)
    count = new.op("few_rows.count", "Size", [ids])  # ()
    is_many = new.op("few_rows.is_many", "GreaterOrEqual", [count, new.integers(MANY_TOKENS, MANY)])
    insert_constants(graph, new)
    graph.insert_before(graph[0], new.nodes)
    return is_many


def write_either_matmul(
    new: Builder, name: str, x: ir.Value, levels: Levels, weight: ChannelWeight, is_many: ir.Value
) -> ir.Value:
    """Write an If of both products, (B, S, K) to (B, S, N)."""
    many, few = Builder(initializers=new.initializers), Builder(initializers=new.initializers)
    product = write_integer_matmul(many, f"{name}.many", x, levels, weight.steps, weight.factors)
    branches = {
        "then_branch": make_branch(many, product),
        "else_branch": make_branch(few, write_few(new, few, name, x, levels, weight)),
    }
    return new.node(name, "If", [is_many], branches)[0]


def write_few(new: Builder, branch: Builder, name: str, x: ir.Value, levels: Levels, weight: ChannelWeight) -> ir.Value:
    """Write the product for few rows in a branch, and what it computes of constants in `new`."""
    assert weight.unsigned.shape is not None
    blocks, block, columns = weight.unsigned.shape.numpy()
    middle = new.constant("few_rows.middle", np.array(MIDDLE, np.uint8))
    # 255, the byte of -1, becomes 127: sums of uint8 go round.
    around = new.op(f"{name}.weight.around_middle", "Add", [weight.unsigned, middle])
    turned = new.op(f"{name}.weight.blocks", "Transpose", [around], {"perm": [2, 0, 1]})  # (N, K / block, block)
    count = new.floats(f"{levels.name}.count", levels.count)
    each = new.op(f"{name}.weight.each", "Mul", [weight.factors, count])  # (N,)
    column = new.op(f"{name}.weight.column", "Reshape", [each, new.integers("few_rows.column", [-1, 1])])  # (N, 1)
    shape = new.integers(f"few_rows.scales.{columns}.{blocks}", [columns, blocks])
    scales = new.op(f"{name}.weight.scales", "Expand", [column, shape])  # (N, K / block)
    sizes = {"K": blocks * block, "N": columns, "bits": 8, "block_size": block, "accuracy_level": INT8_ARITHMETIC}
    return branch.node(f"{name}{FEW}", "MatMulNBits", [x, turned, scales], sizes, domain=MICROSOFT)[0]


def make_branch(branch: Builder, output: ir.Value) -> ir.Graph:
    output.type = ir.TensorType(ir.DataType.FLOAT)
    return ir.Graph([], [output], nodes=branch.nodes, name=output.name)
