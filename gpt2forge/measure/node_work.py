"""Counts the bytes that each node of a package must read, and the operations that it must do.

Only weights and the cache count as bytes, because activations stay in the processor's caches. Products, and the scores
and sums of attention, count as operations: two for each weight and row. All other nodes count as nothing, so all their
time is overhead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import onnx_ir as ir

from gpt2forge.graph.interface import find_cache
from gpt2forge.quantize.embeddings import LM_HEAD

BLOCKS, CHANNELS, ATTENTION = "MatMulNBits", "MatMulIntegerToFloat", "GroupQueryAttention"
FLOATS = ("MatMul", "Gemm")
LOOKUPS = ("Gather", "GatherBlockQuantized")
INT8 = ir.DataType.INT8


@dataclass(frozen=True)
class Work:
    """The bytes and the operations of a node in one run, and whether the operations are products of integers."""

    bytes: int = 0
    operations: int = 0
    is_integer: bool = False


@dataclass(frozen=True)
class RunShape:
    """A run of the graph: `new` tokens of one text after `past` others. The LM head reads the last token alone."""

    new: int
    past: int


def count_work(graph: ir.Graph, run: RunShape) -> Mapping[str, Work]:
    """Return the work of every node of a package, by name."""
    return {str(node.name): count_node(graph, node, run) for node in graph.all_nodes()}


def count_node(graph: ir.Graph, node: ir.Node, run: RunShape) -> Work:
    rows = 1 if str(node.name).startswith(LM_HEAD) else run.new
    if node.op_type == ATTENTION:
        return count_attention(graph, run)
    if node.op_type in LOOKUPS:
        return Work(bytes=count_row_bytes(node) * rows)
    size, weights = count_weight_bytes(node), count_weights(node)
    return Work(size, 2 * weights * rows, is_integer=node.op_type in (BLOCKS, CHANNELS))


def count_weights(node: ir.Node) -> int:
    """Return the number of weights of a product; 0 for other nodes."""
    if node.op_type == BLOCKS:
        return int(node.attributes["K"].as_int()) * int(node.attributes["N"].as_int())
    if node.op_type in (*FLOATS, CHANNELS):
        return max((prod(tensor.shape.numpy()) for tensor in list_weights(node)), default=0)
    return 0


def list_weights(node: ir.Node) -> list[ir.ExternalTensor]:
    """List the weights that a node reads from `model.onnx_data`."""
    values = [value for value in node.inputs if value is not None]
    if node.op_type == BLOCKS:
        return [tensor for value in values[1:] for tensor in find_stored(value)]
    return [value.const_value for value in values if isinstance(value.const_value, ir.ExternalTensor)]


def find_stored(value: ir.Value) -> list[ir.ExternalTensor]:
    """List the weights of the file that a constant is, or that it is computed of when the graph is opened."""
    tensor, node = value.const_value, value.producer()
    if isinstance(tensor, ir.ExternalTensor):
        return [tensor]
    inputs = node.inputs if node is not None else ()
    return [found for each in inputs if each is not None for found in find_stored(each)]


def count_weight_bytes(node: ir.Node) -> int:
    return sum(tensor.nbytes for tensor in list_weights(node))


def count_row_bytes(node: ir.Node) -> int:
    """Return the bytes of one row of the tables that a lookup reads."""
    return sum(tensor.nbytes // tensor.shape.numpy()[0] for tensor in list_weights(node))


def count_attention(graph: ir.Graph, run: RunShape) -> Work:
    """Return the work of one layer's attention: each new token meets all tokens up to itself."""
    cache = find_cache(graph)
    assert cache.shape is not None
    heads, width = cache.shape[1], cache.shape[3]
    assert isinstance(heads, int) and isinstance(width, int)
    item = 1 if cache.dtype == INT8 else 4
    pairs = run.new * run.past + run.new * (run.new + 1) // 2
    return Work(bytes=2 * (run.past + run.new) * heads * width * item, operations=4 * heads * width * pairs)
