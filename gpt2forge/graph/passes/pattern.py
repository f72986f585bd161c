"""Matches nodes for the passes: by the exporter's names, and by everything else that the exporter writes."""

from collections.abc import Collection

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.builder import Builder
from gpt2forge.graph.edit import GraphError, index_nodes


def make_placeholder(name: str) -> ir.Value:
    """Return a value for the inputs of an expected pattern, of which only the name is compared."""
    return ir.Value(name=name)


def match_nodes(graph: ir.Graph, expected: Builder, free: Collection[str] = ()) -> list[ir.Node]:
    """Find the nodes of a pattern, written as the exporter does; the constants in `free` may have any value.

    Raises GraphError if a node is missing or differs in operator, attributes, inputs or outputs.
    """
    nodes = index_nodes(graph)
    for wanted in expected.nodes:
        found = nodes.get(str(wanted.name))
        if found is None or describe(found) != describe(wanted):
            raise GraphError(
                f"`{wanted.name}` is {describe(found) if found else 'missing'}, expected {describe(wanted)}"
            )
        for value in wanted.inputs:
            if value is not None and value.const_value is not None:
                match_constant(graph, str(wanted.name), value.const_value, free)
    return [nodes[str(wanted.name)] for wanted in expected.nodes]


def match_constant(graph: ir.Graph, node: str, expected: ir.TensorProtocol, free: Collection[str]) -> None:
    """Raise GraphError unless the graph has this constant with this value; `node` is its reader."""
    name = str(expected.name)
    value = graph.initializers.get(name)
    found = value.const_value if value is not None else None
    if found is None or found.shape != expected.shape or found.dtype != expected.dtype:
        raise GraphError(f"`{node}` reads the constant `{name}`, which is {found}, expected {expected}")
    if name not in free and not np.array_equal(found.numpy(), expected.numpy()):
        raise GraphError(f"`{node}` reads the constant `{name}`, which is {found.numpy()}, expected {expected.numpy()}")


def describe(node: ir.Node) -> str:
    """Return everything about a node but its name, on one line."""
    inputs = ", ".join(value.name or "" if value else "" for value in node.inputs)
    outputs = ", ".join(value.name or "" for value in node.outputs)
    attributes = ", ".join(f"{name}={node.attributes[name].value}" for name in sorted(node.attributes))
    return f"`{node.domain and node.domain + '.'}{node.op_type}({inputs}) [{attributes}] -> {outputs}`"
