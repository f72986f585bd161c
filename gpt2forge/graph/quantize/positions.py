"""Rewrites what reads the position embeddings: rows of float16, of which the few that are looked up become float32."""

import onnx_ir as ir

from gpt2forge.graph.package import Layout, refer
from gpt2forge.graph.quantize.edit import replace, start_edit
from gpt2forge.graph.quantize.item import Item
from gpt2forge.graph.quantize.scheme import Storage

GATHER = "wpe"
POSITIONS = "wpe.weight"


def rewrite_positions(
    graph: ir.Graph, node: ir.Node, weight: ir.ExternalTensor, storage: Storage, layout: Layout
) -> Item:
    """Gather (P, E) by (B, S), then Cast, to (B, S, E)."""
    builder, region = start_edit(graph), layout.reserve((weight.length or 0) // 2)
    table, half = graph.initializers[POSITIONS], ir.DataType.FLOAT16
    table.const_value = refer(POSITIONS, half, weight.shape.numpy(), region).const_value
    table.type = ir.TensorType(half)
    rows = builder.op(f"{GATHER}.rows", "Gather", [table, node.inputs[1]])  # (B, S, E)
    result = builder.op(GATHER, "Cast", [rows], {"to": int(ir.DataType.FLOAT)})  # (B, S, E)
    replace(graph, [node], builder, result)
    return Item(weight, storage, False, region, None)
