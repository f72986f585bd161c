"""Rewrites the nodes that read embeddings: the Gathers of tokens and positions, and the matrix product of the LM head.

Two initializers of different shapes, for the Gather and the product, lie at the same place of `model.onnx_data`.
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GatherBlockQuantized
"""

import onnx_ir as ir

from gpt2forge.graph.builder import MICROSOFT
from gpt2forge.quantize.data_file import Layout, refer
from gpt2forge.quantize.edit import replace, start_edit
from gpt2forge.quantize.item import Item
from gpt2forge.quantize.matmul import BlockMatrix, refer_scales, reserve_blocks, write_matmul
from gpt2forge.quantize.scheme import Storage

WTE, WPE, LM_HEAD = "wte", "wpe", "lm_head"
TABLES = ("wte.weight", "lm_head.weight")
POSITIONS = "wpe.weight"


def rewrite_table(graph: ir.Graph, weight: ir.ExternalTensor, storage: Storage, layout: Layout) -> Item:
    """Quantize a table (V, D) once, for the nodes `wte` and `lm_head`, those of them that read it."""
    assert weight.name is not None and storage.block is not None
    rows, width = weight.shape.numpy()
    matrix = reserve_blocks(layout, weight.name, width, rows, storage.bits, storage.block)
    nodes = {node.name: node for node in graph}
    if reads(nodes.get(WTE), 0, weight.name):
        rewrite_gather(graph, nodes[WTE], matrix)
    if reads(nodes.get(LM_HEAD), 1, weight.name):
        rewrite_head(graph, [nodes[f"{LM_HEAD}.flatten"], nodes[LM_HEAD], nodes[f"{LM_HEAD}.unflatten"]], matrix)
    return Item(weight, storage, True, matrix.data, matrix.scales)


def reads(node: ir.Node | None, index: int, name: str) -> bool:
    """Whether this node's input number `index` has this name."""
    value = node.inputs[index] if node else None
    return value is not None and value.name == name


def rewrite_gather(graph: ir.Graph, node: ir.Node, matrix: BlockMatrix) -> None:
    """Gather (V, D) by (B, S) to (B, S, D); what fills the last block is cut off."""
    builder, padded = start_edit(graph), matrix.blocks * matrix.block
    shape = (matrix.columns, matrix.blocks * matrix.bytes_of_block)
    packed = refer(f"{matrix.name}.rows", ir.DataType.UINT8, shape, matrix.data)
    builder.initializers[f"{matrix.name}.rows"] = packed
    attributes = {"bits": matrix.bits, "block_size": matrix.block, "gather_axis": 0, "quantize_axis": 1}
    inputs = [packed, node.inputs[1], refer_scales(builder, matrix)]
    name = WTE if padded == matrix.length else f"{WTE}.padded"
    (result,) = builder.node(name, "GatherBlockQuantized", inputs, attributes, domain=MICROSOFT)  # (B, S, padded)
    if padded != matrix.length:
        bounds = [builder.integers(f"{WTE}.{key}", [value]) for key, value in cut(matrix.length).items()]
        result = builder.op(WTE, "Slice", [result, *bounds])  # (B, S, D)
    replace(graph, [node], builder, result)


def cut(length: int) -> dict[str, int]:
    """The inputs of a Slice that keeps the first `length` of the last axis."""
    return {"start": 0, "end": length, "axis": -1}


def rewrite_head(graph: ir.Graph, chain: list[ir.Node], matrix: BlockMatrix) -> None:
    """Flatten, product and unflatten, (B, K, D) to (B, K, V), become one product, which takes any number of axes."""
    builder, x = start_edit(graph), chain[0].inputs[0]
    assert x is not None
    result = write_matmul(builder, LM_HEAD, x, matrix, None)
    replace(graph, chain, builder, result)


def rewrite_positions(
    graph: ir.Graph, node: ir.Node, weight: ir.ExternalTensor, storage: Storage, layout: Layout
) -> Item:
    """Gather (P, E) by (B, S), then Cast, to (B, S, E)."""
    builder, region = start_edit(graph), layout.reserve((weight.length or 0) // 2)
    table, half = graph.initializers[POSITIONS], ir.DataType.FLOAT16
    table.const_value = refer(POSITIONS, half, weight.shape.numpy(), region).const_value
    table.type = ir.TensorType(half)
    rows = builder.op(f"{WPE}.rows", "Gather", [table, node.inputs[1]])  # (B, S, E)
    result = builder.op(WPE, "Cast", [rows], {"to": int(ir.DataType.FLOAT)})  # (B, S, E)
    replace(graph, [node], builder, result)
    return Item(weight, storage, False, region, None)
