"""Rewrites a linear layer: replaces its MatMul with float32 weights by a product with integer weights."""

import re

import onnx_ir as ir

from gpt2forge.graph.edit import replace_nodes, start_edit
from gpt2forge.quantize.activations import choose_levels
from gpt2forge.quantize.data_file import Layout, refer
from gpt2forge.quantize.few_rows import ChannelWeight, ask_many, choose_block, write_either_matmul
from gpt2forge.quantize.matmul import reserve_blocks, write_block_matmul, write_integer_matmul
from gpt2forge.quantize.scheme import KINDS, Storage
from gpt2forge.quantize.stored_weight import StoredWeight

LINEAR = re.compile(rf"(h\.\d+\.(?:{'|'.join(map(re.escape, KINDS))}))\.weight")


def rewrite_linear(
    graph: ir.Graph,
    node: ir.Node,
    source: ir.ExternalTensor,
    storage: Storage,
    layout: Layout,
    *,
    bias_add: ir.Node | None,
) -> StoredWeight:
    """Replace a MatMul whose weight is `source` (in, out), and the Add of its bias if that is given."""
    if storage.block is None:
        return rewrite_channels(graph, node, source, storage, layout)
    return rewrite_blocks(graph, [node, bias_add] if bias_add else [node], source, storage, layout)


def rewrite_blocks(
    graph: ir.Graph, old: list[ir.Node], source: ir.ExternalTensor, storage: Storage, layout: Layout
) -> StoredWeight:
    """Replace a MatMul, and the Add after it if there is one, by MatMulNBits: one scale for each block of weights."""
    builder, node, x = start_edit(graph), old[0], old[0].inputs[0]
    assert node.name is not None and x is not None and storage.block is not None
    length, columns = source.shape.numpy()
    name = f"{node.name}.weight"
    matrix = reserve_blocks(layout, name, length, columns, bits=storage.bits, block=storage.block)
    bias = old[1].inputs[1] if len(old) > 1 else None
    write_block_matmul(builder, node.name, x, matrix, bias=bias, output=old[-1].outputs[0].name)
    replace_nodes(graph, old, builder)
    return StoredWeight(source=source, storage=storage, data=matrix.data, scales=matrix.scales)


def rewrite_channels(
    graph: ir.Graph, node: ir.Node, source: ir.ExternalTensor, storage: Storage, layout: Layout
) -> StoredWeight:
    """Replace a MatMul by an integer product: one scale for each output channel and for each row of activations.

    Where few rows are multiplied in blocks, an If of both products takes its place.
    """
    builder, x = start_edit(graph), node.inputs[0]
    assert node.name is not None and x is not None
    length, columns = source.shape.numpy()
    data, scales = layout.reserve(length * columns), layout.reserve(4 * columns)
    steps = refer(f"{node.name}.weight.steps", ir.DataType.INT8, (length, columns), data)
    factors = refer(f"{node.name}.weight.factors", ir.DataType.FLOAT, (columns,), scales)
    builder.initializers.update({f"{node.name}.weight.steps": steps, f"{node.name}.weight.factors": factors})
    levels, block = choose_levels(x), choose_block(length)
    if storage.few_in_blocks and block:
        unsigned = refer(f"{node.name}.weight.unsigned", ir.DataType.UINT8, (length // block, block, columns), data)
        builder.initializers[str(unsigned.name)] = unsigned
        weight = ChannelWeight(steps, unsigned, factors)
        write_either_matmul(builder, node.name, x, levels, weight, ask_many(graph))
    else:
        write_integer_matmul(builder, node.name, x, levels=levels, steps=steps, factors=factors)
    replace_nodes(graph, [node], builder)
    return StoredWeight(source=source, storage=storage, data=data, scales=scales, levels=levels.count)
