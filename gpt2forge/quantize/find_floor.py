"""Finds the oldest onnxruntime that loads a graph, by its operators."""

from collections.abc import Iterator

import onnx_ir as ir

from gpt2forge.graph.interface import IN_PLACE
from gpt2forge.quantize.floors import ATTENTION, BIAS, BLOCKS, CACHE, OLDEST, TABLES, Version

BIAS_INPUT = 5  # of MatMulNBits


def find_floor(graph: ir.Graph) -> Version:
    """Return the oldest onnxruntime that loads this graph on a CPU; see `floors`."""
    has_integer_cache = any(value.dtype == ir.DataType.INT8 for value in graph.inputs)
    needed = (version for node in graph.all_nodes() for version in list_needs(node))
    return max([OLDEST, *needed, *([CACHE] if has_integer_cache else [])])


def list_needs(node: ir.Node) -> Iterator[Version]:
    """Yield the version that a node needs, if it needs another than the oldest."""
    if node.op_type == IN_PLACE:
        yield ATTENTION
    elif node.op_type == "GatherBlockQuantized":
        yield TABLES
    elif node.op_type == "MatMulNBits":
        yield BLOCKS[node.attributes["bits"].as_int()]
        if len(node.inputs) > BIAS_INPUT:
            yield BIAS
