"""Rewrites the readers of embeddings: the Gathers of tokens and positions, and the matrix product of the LM head.

The Gather and the product of a tied table have initializers of different shapes in the same region of
`model.onnx_data`.
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GatherBlockQuantized
"""

import onnx_ir as ir

from gpt2forge.graph.builder import MICROSOFT
from gpt2forge.graph.edit import index_nodes, replace_nodes, start_edit
from gpt2forge.quantize.data_file import Layout, refer
from gpt2forge.quantize.matmul import BlockMatrix, refer_scales, reserve_blocks, write_block_matmul
from gpt2forge.quantize.scheme import Storage
from gpt2forge.quantize.stored_weight import StoredWeight

WTE, WPE, LM_HEAD = "wte", "wpe", "lm_head"
TABLES = ("wte.weight", "lm_head.weight")
POSITIONS = "wpe.weight"


def rewrite_table(graph: ir.Graph, source: ir.ExternalTensor, storage: Storage, layout: Layout) -> StoredWeight:
    """Quantize a table (V, D) once, for those of the nodes `wte` and `lm_head` that read it."""
    assert source.name is not None and storage.block is not None
    rows, width = source.shape.numpy()
    matrix = reserve_blocks(layout, source.name, width, rows, bits=storage.bits, block=storage.block)
    nodes = index_nodes(graph)
    if reads(nodes.get(WTE), 0, source.name):
        rewrite_gather(graph, nodes[WTE], matrix)
    if reads(nodes.get(LM_HEAD), 1, source.name):
        rewrite_head(graph, [nodes[f"{LM_HEAD}.flatten"], nodes[LM_HEAD], nodes[f"{LM_HEAD}.unflatten"]], matrix)
    return StoredWeight(source=source, storage=storage, data=matrix.data, scales=matrix.scales, table=True)


def reads(node: ir.Node | None, index: int, name: str) -> bool:
    """Return whether input number `index` of the node has this name."""
    value = node.inputs[index] if node else None
    return value is not None and value.name == name


def rewrite_gather(graph: ir.Graph, node: ir.Node, matrix: BlockMatrix) -> None:
    """Replace the Gather of (V, D) by (B, S); the padding of the last block is cut off, which leaves (B, S, D)."""
    builder, padded = start_edit(graph), matrix.blocks * matrix.block
    shape = (matrix.columns, matrix.blocks * matrix.bytes_per_block)
    packed = refer(f"{matrix.name}.rows", ir.DataType.UINT8, shape, matrix.data)
    builder.initializers[f"{matrix.name}.rows"] = packed
    attributes = {"bits": matrix.bits, "block_size": matrix.block, "gather_axis": 0, "quantize_axis": 1}
    inputs = [packed, node.inputs[1], refer_scales(builder, matrix)]
    name = WTE if padded == matrix.length else f"{WTE}.padded"
    (result,) = builder.node(name, "GatherBlockQuantized", inputs, attributes, domain=MICROSOFT)  # (B, S, padded)
    if padded != matrix.length:
        ends = {"start": 0, "end": matrix.length, "axis": -1}
        bounds = [builder.integers(f"{WTE}.{key}", [value]) for key, value in ends.items()]
        builder.op(WTE, "Slice", [result, *bounds])  # (B, S, D)
    replace_nodes(graph, [node], builder)


def rewrite_head(graph: ir.Graph, chain: list[ir.Node], matrix: BlockMatrix) -> None:
    """Replace flatten, product and unflatten, (B, K, D) to (B, K, V), by one product for any number of axes."""
    builder, x = start_edit(graph), chain[0].inputs[0]
    assert x is not None
    write_block_matmul(builder, LM_HEAD, x, matrix, output=chain[-1].outputs[0].name)
    replace_nodes(graph, chain, builder)


def rewrite_positions(
    graph: ir.Graph, node: ir.Node, source: ir.ExternalTensor, storage: Storage, layout: Layout
) -> StoredWeight:
    """Replace the Gather of (P, E) by (B, S) by a Gather of float16 and a Cast, to (B, S, E)."""
    builder, region = start_edit(graph), layout.reserve((source.length or 0) // 2)
    table, half = graph.initializers[POSITIONS], ir.DataType.FLOAT16
    table.const_value = refer(POSITIONS, half, source.shape.numpy(), region).const_value
    table.type = ir.TensorType(half)
    rows = builder.op(f"{WPE}.rows", "Gather", [table, node.inputs[1]])  # (B, S, E)
    builder.op(WPE, "Cast", [rows], {"to": int(ir.DataType.FLOAT)})  # (B, S, E)
    replace_nodes(graph, [node], builder)
    return StoredWeight(source=source, storage=storage, data=region)
