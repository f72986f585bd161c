"""What a pass goes by: nodes are found by the names that the exporter gave them, and have to be what it wrote there."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.builder import Builder

NONE: Mapping[str, str] = MappingProxyType({})


class GraphError(Exception):
    """The graph holds something else under a name than a pass can rewrite: a bug, not a fault of the user.

    The message is one line that names the node, and with it the layer: what was expected there and what was found.
    """


def index(graph: ir.Graph) -> dict[str, ir.Node]:
    """The nodes of a graph by name."""
    return {node.name: node for node in graph if node.name}


def stand_in(name: str) -> ir.Value:
    """A value for the inputs of an expected pattern, where only the name counts."""
    return ir.Value(name=name)


def match(graph: ir.Graph, expected: Builder, free: Collection[str] = ()) -> list[ir.Node]:
    """Find the nodes of a pattern, given as the exporter writes it; the constants in `free` may have another value.

    Raises GraphError when one is missing or differs in operator, attributes, inputs or outputs.
    """
    nodes = index(graph)
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
    """Raises GraphError unless the graph has this constant, which `node` reads, with this value."""
    name = str(expected.name)
    value = graph.initializers.get(name)
    found = value.const_value if value is not None else None
    if found is None or found.shape != expected.shape or found.dtype != expected.dtype:
        raise GraphError(f"`{node}` reads the constant `{name}`, which is {found}, expected {expected}")
    if name not in free and not np.array_equal(found.numpy(), expected.numpy()):
        raise GraphError(f"`{node}` reads the constant `{name}`, which is {found.numpy()}, expected {expected.numpy()}")


def describe(node: ir.Node) -> str:
    """Everything a node is but its name, on one line."""
    inputs = ", ".join(value.name or "" if value else "" for value in node.inputs)
    outputs = ", ".join(value.name or "" for value in node.outputs)
    attributes = ", ".join(f"{name}={node.attributes[name].value}" for name in sorted(node.attributes))
    return f"`{node.domain and node.domain + '.'}{node.op_type}({inputs}) [{attributes}] -> {outputs}`"


def replace(graph: ir.Graph, old: Sequence[ir.Node], new: Builder, renamed: Mapping[str, str] = NONE) -> None:
    """Put the nodes of `new` in the place of `old`; values go on under their names, or under those that `renamed` says.

    Raises GraphError when a value that does not go on is used outside.
    """
    successors = {value.name: value for node in new.nodes for value in node.outputs if value.name}
    for value in [value for node in old for value in node.outputs]:
        name = str(value.name)
        successor = successors.get(renamed.get(name, name))
        if successor is None:
            refuse_use_outside(value, old)
        else:
            successor.type, successor.shape = value.type, value.shape
            value.replace_all_uses_with(successor, replace_graph_outputs=True)
    insert(graph, old[-1], new)
    graph.remove(old, safe=True)


def refuse_use_outside(value: ir.Value, inside: Sequence[ir.Node]) -> None:
    """Raises GraphError when a value that a rewrite takes away is used by a node not `inside`, or is an output."""
    users = [str(use.node.name) for use in value.uses() if use.node not in inside]
    users += ["the graph's outputs"] if value.is_graph_output() else []
    if users:
        raise GraphError(f"`{value.name}` would go away, but is used by {', '.join(users)}")


def insert(graph: ir.Graph, place: ir.Node, new: Builder) -> None:
    """Put nodes behind `place`, and their constants into the graph."""
    for name, value in new.initializers.items():
        if name not in graph.initializers:
            graph.register_initializer(value)
    graph.insert_after(place, new.nodes)
