"""Rewrites a linear layer: its MatMul with float32 weights becomes one with integers."""

import re

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.builder import Builder
from gpt2forge.graph.package import Layout, refer
from gpt2forge.graph.quantize.edit import replace, start_edit
from gpt2forge.graph.quantize.item import Item
from gpt2forge.graph.quantize.matmul import reserve_blocks, write_matmul
from gpt2forge.graph.quantize.names import KINDS
from gpt2forge.graph.quantize.scheme import Storage

LINEAR = re.compile(rf"(h\.\d+\.(?:{'|'.join(map(re.escape, KINDS))}))\.weight")
LEVELS, ZERO_POINT = 127, 128  # of the activations
LEAST = 1e-30  # of a row's magnitude, so that a row of zeros divides by no zero


def rewrite_linear(
    graph: ir.Graph,
    node: ir.Node,
    weight: ir.ExternalTensor,
    storage: Storage,
    layout: Layout,
    bias_add: ir.Node | None,
) -> Item:
    """Replace a MatMul with `weight` (in, out), and the Add of its bias where that is given."""
    if storage.block is None:
        return rewrite_channels(graph, node, weight, storage, layout)
    return rewrite_blocks(graph, node, weight, storage, storage.block, layout, bias_add)


def rewrite_blocks(
    graph: ir.Graph,
    node: ir.Node,
    weight: ir.ExternalTensor,
    storage: Storage,
    block: int,
    layout: Layout,
    bias_add: ir.Node | None,
) -> Item:
    """One scale for each block: MatMulNBits, which adds the bias."""
    builder, x = start_edit(graph), node.inputs[0]
    assert node.name is not None and x is not None
    length, columns = weight.shape.numpy()
    matrix = reserve_blocks(layout, f"{node.name}.weight", length, columns, storage.bits, block)
    bias = bias_add.inputs[1] if bias_add else None
    result = write_matmul(builder, node.name, x, matrix, bias)
    replace(graph, [node, bias_add] if bias_add else [node], builder, result)
    return Item(weight, storage, False, matrix.data, matrix.scales)


def rewrite_channels(
    graph: ir.Graph, node: ir.Node, weight: ir.ExternalTensor, storage: Storage, layout: Layout
) -> Item:
    """One scale for each output channel and for each row of the activations: MatMulInteger, in standard operators."""
    builder, x = start_edit(graph), node.inputs[0]
    assert node.name is not None and x is not None
    length, columns = weight.shape.numpy()
    data, scales = layout.reserve(length * columns), layout.reserve(4 * columns)
    steps = refer(f"{node.name}.weight.steps", ir.DataType.INT8, (length, columns), data)
    factors = refer(f"{node.name}.weight.factors", ir.DataType.FLOAT, (columns,), scales)
    builder.initializers.update({f"{node.name}.weight.steps": steps, f"{node.name}.weight.factors": factors})
    result = write_integer_matmul(builder, node.name, x, steps, factors)
    replace(graph, [node], builder, result)
    return Item(weight, storage, False, data, scales)


def write_integer_matmul(builder: Builder, name: str, x: ir.Value, steps: ir.Value, factors: ir.Value) -> ir.Value:
    """Multiply x (B, S, K) with int8 `steps` (K, N) of scales 127 * `factors` (N,); every row of x gets its own scale.

    x enters as uint8 around 128, the one form of MatMulInteger that is fast on every x86. One operator quantizes all
    rows since each is divided by its magnitude first; the 127 levels that are left over are part of the factors.
    """
    rows = f"{name}.rows"
    sizes = builder.op(f"{rows}.sizes", "Abs", [x])  # (B, S, K)
    largest = builder.op(f"{rows}.largest", "ReduceMax", [sizes], {"axes": [-1], "keepdims": 1})  # (B, S, 1)
    magnitude = builder.op(f"{rows}.magnitude", "Max", [largest, builder.floats("rows.least", LEAST)])  # (B, S, 1)
    parts = builder.op(f"{rows}.parts", "Div", [x, magnitude])  # (B, S, K), -1 ... 1
    zero = builder.constant("rows.zero_point", np.array(ZERO_POINT, np.uint8))
    level = builder.floats("rows.level", 1 / LEVELS)
    integers = builder.op(f"{rows}.integers", "QuantizeLinear", [parts, level, zero])  # (B, S, K)
    product = builder.op(f"{name}.product", "MatMulInteger", [integers, steps, zero])  # (B, S, N)
    floats = builder.op(f"{name}.floats", "Cast", [product], {"to": int(ir.DataType.FLOAT)})  # (B, S, N)
    by_channel = builder.op(f"{name}.by_channel", "Mul", [floats, factors])  # (B, S, N)
    return builder.op(name, "Mul", [by_channel, magnitude])  # (B, S, N)
