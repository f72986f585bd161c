"""Writes the attention between c_attn and c_proj in standard operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import onnx_ir as ir

from gpt2forge.graph.builder import Builder
from gpt2forge.graph.dimensions import Dimensions
from gpt2forge.graph.interface import find_cache, present_names


@dataclass(frozen=True)
class Heads:
    """The number and the width of the heads that share a row of the hidden state."""

    count: int
    width: int


def read_heads(graph: ir.Graph) -> Heads:
    """Read the heads of a graph from the shape of its cache."""
    cache = find_cache(graph)
    assert cache.shape is not None
    _, count, _, width = cache.shape.dims
    assert isinstance(count, int) and isinstance(width, int)
    return Heads(count, width)


def choose_scale(config: Dimensions, layer: int) -> float:
    """Return the factor of a layer's scores, which keeps their spread independent of the head width.

    `scale_attn_weights: false` omits it; `scale_attn_by_inverse_layer_idx` divides by the layer, counted from 1.
    """
    scale = 1 / sqrt(config.head_width) if config.scale_attn_weights else 1.0
    return scale / (layer + 1) if config.scale_attn_by_inverse_layer_idx else scale


def name_scale(layer: int) -> str:
    """Return the name of the constant that holds a layer's scale."""
    return f"h.{layer}.attn.core.scale"


def write_attention(
    graph: Builder, layer: int, heads: Heads, scale: float, packed: ir.Value, past: Sequence[ir.Value], bias: ir.Value
) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Write the nodes `h.{layer}.attn.core.*`; return the mixed rows (B, S, H*D) and all keys and values (B, H, T, D).

    `packed` (B, S, 3*H*D) holds query, key and value side by side; `past` holds earlier keys and values, (B, H, P, D).
    The query is multiplied by `scale`, and `bias` (B, 1, S, T) is added to the scores.
    See Attention Is All You Need, section 3.2, https://arxiv.org/abs/1706.03762.
    """
    core = f"h.{layer}.attn.core"
    parts = [f"{core}.{part}_rows" for part in ("query", "key", "value")]
    query_rows, key_rows, value_rows = graph.node(f"{core}.split", "Split", [packed], {"axis": 2}, outputs=parts)
    query = write_heads(graph, f"{core}.query", heads, query_rows)  # (B, H, S, D)
    new_key = write_heads(graph, f"{core}.new_key", heads, key_rows)  # (B, H, S, D)
    new_value = write_heads(graph, f"{core}.new_value", heads, value_rows)  # (B, H, S, D)
    key_name, value_name = present_names(layer)
    (key,) = graph.node(f"{core}.key", "Concat", [past[0], new_key], {"axis": 2}, outputs=[key_name])  # (B, H, T, D)
    (value,) = graph.node(f"{core}.value", "Concat", [past[1], new_value], {"axis": 2}, outputs=[value_name])
    columns = graph.op(f"{core}.key_columns", "Transpose", [key], {"perm": (0, 1, 3, 2)})  # (B, H, D, T)
    scaled = graph.op(f"{core}.scaled", "Mul", [query, graph.floats(name_scale(layer), scale)])  # (B, H, S, D)
    scores = graph.op(f"{core}.scores", "MatMul", [scaled, columns])  # (B, H, S, T), small enough for float16
    masked = graph.op(f"{core}.masked", "Add", [scores, bias])  # (B, H, S, T)
    shares = graph.op(f"{core}.shares", "Softmax", [masked], {"axis": -1})  # (B, H, S, T)
    mixed = graph.op(f"{core}.mixed", "MatMul", [shares, value])  # (B, H, S, D)
    side_by_side = graph.op(f"{core}.mixed_heads", "Transpose", [mixed], {"perm": (0, 2, 1, 3)})  # (B, S, H, D)
    row = graph.integers("attn.row_shape", [0, 0, heads.count * heads.width])
    return graph.op(f"{core}.mixed_rows", "Reshape", [side_by_side, row]), key, value  # (B, S, H*D)


def write_heads(graph: Builder, name: str, heads: Heads, rows: ir.Value) -> ir.Value:
    """Split the rows (B, S, H*D) into heads (B, H, S, D)."""
    shape = graph.integers("attn.heads_shape", [0, 0, heads.count, heads.width])
    split = graph.op(f"{name}_heads", "Reshape", [rows, shape])  # (B, S, H, D)
    return graph.op(name, "Transpose", [split], {"perm": (0, 2, 1, 3)})  # (B, H, S, D)
