"""Rewrites a linear layer: its MatMul with float32 weights becomes one with integers."""

import re

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.builder import Builder
from gpt2forge.graph.package import Layout, refer
from gpt2forge.graph.quantize.edit import replace, start_edit
from gpt2forge.graph.quantize.item import Item
from gpt2forge.graph.quantize.matmul import reserve_blocks, write_matmul
from gpt2forge.graph.quantize.scheme import Storage

LINEAR = re.compile(r"(h\.\d+\.(?:attn\.c_attn|attn\.c_proj|mlp\.c_fc|mlp\.c_proj))\.weight")
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
    scale = refer(f"{node.name}.weight.scales", ir.DataType.FLOAT, (columns,), scales)
    builder.initializers.update({f"{node.name}.weight.steps": steps, f"{node.name}.weight.scales": scale})
    result = write_integer_matmul(builder, node.name, x, steps, scale)
    replace(graph, [node], builder, result)
    return Item(weight, storage, False, data, scales)


def write_integer_matmul(builder: Builder, name: str, x: ir.Value, steps: ir.Value, scale: ir.Value) -> ir.Value:
    """Multiply x (B, S, K) with the int8 `steps` (K, N) and their `scale` (N,); every row of x gets its own scale.

    x enters as uint8 around 128, the one form of MatMulInteger that is fast on every x86.
    """
    rows = f"{name}.rows"
    magnitude = builder.op(f"{rows}.absolute", "Abs", [x])  # (B, S, K)
    largest = builder.op(f"{rows}.largest", "ReduceMax", [magnitude], {"axes": [-1], "keepdims": 1})  # (B, S, 1)
    safe = builder.op(f"{rows}.safe", "Max", [largest, builder.floats("rows.least", LEAST)])  # (B, S, 1)
    step = builder.op(f"{rows}.scale", "Div", [safe, builder.floats("rows.levels", 127)])  # (B, S, 1)
    divided = builder.op(f"{rows}.divided", "Div", [x, step])  # (B, S, K)
    rounded = builder.op(f"{rows}.rounded", "Round", [divided])  # (B, S, K)
    shifted = builder.op(f"{rows}.shifted", "Add", [rounded, builder.floats("rows.shift", 128)])  # (B, S, K)
    cast = builder.op(f"{rows}.bytes", "Cast", [shifted], {"to": int(ir.DataType.UINT8)})  # (B, S, K)
    zero = builder.constant("rows.zero_point", np.array(128, np.uint8))
    product = builder.op(f"{name}.product", "MatMulInteger", [cast, steps, zero])  # (B, S, N)
    floats = builder.op(f"{name}.floats", "Cast", [product], {"to": int(ir.DataType.FLOAT)})  # (B, S, N)
    by_row = builder.op(f"{name}.by_row", "Mul", [floats, step])  # (B, S, N)
    return builder.op(name, "Mul", [by_row, scale])  # (B, S, N)
