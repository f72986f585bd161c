"""Rewrites a linear layer: its MatMul with float32 weights becomes one with integers."""

import re

import onnx_ir as ir

from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.quantize.activations import Levels, choose_levels, refer_zero_point, write_rows
from gpt2forge.quantize.data_file import Layout, refer
from gpt2forge.quantize.edit import replace, start_edit
from gpt2forge.quantize.item import Item
from gpt2forge.quantize.matmul import reserve_blocks, write_matmul
from gpt2forge.quantize.scheme import KINDS, Storage

LINEAR = re.compile(rf"(h\.\d+\.(?:{'|'.join(map(re.escape, KINDS))}))\.weight")


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
    """One scale for each output channel and for each row of the activations: an integer product."""
    builder, x = start_edit(graph), node.inputs[0]
    assert node.name is not None and x is not None
    length, columns = weight.shape.numpy()
    data, scales = layout.reserve(length * columns), layout.reserve(4 * columns)
    steps = refer(f"{node.name}.weight.steps", ir.DataType.INT8, (length, columns), data)
    factors = refer(f"{node.name}.weight.factors", ir.DataType.FLOAT, (columns,), scales)
    builder.initializers.update({f"{node.name}.weight.steps": steps, f"{node.name}.weight.factors": factors})
    levels = choose_levels(x)
    result = write_integer_matmul(builder, node.name, x, levels, steps, factors)
    replace(graph, [node], builder, result)
    return Item(weight, storage, False, data, scales, levels.count)


def write_integer_matmul(
    builder: Builder, name: str, x: ir.Value, levels: Levels, steps: ir.Value, factors: ir.Value
) -> ir.Value:
    """Multiply x (B, S, K) with int8 `steps` (K, N) of scales `levels.count` * `factors` (N,).

    Every row of x gets its own scale: its magnitude, as the number of its steps is part of the factors.
    https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulIntegerToFloat
    """
    integers, magnitude = write_rows(builder, f"{name}.rows", x, levels)  # (B, S, K), (B, S, 1)
    inputs = [integers, steps, magnitude, factors, refer_zero_point(builder, levels)]
    return builder.node(name, "MatMulIntegerToFloat", inputs, domain=MICROSOFT)[0]  # (B, S, N)
