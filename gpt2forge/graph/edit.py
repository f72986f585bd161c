"""Replaces nodes of a graph by others, for the passes and for quantization."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import onnx_ir as ir

from gpt2forge.graph.builder import Builder

NONE: Mapping[str, str] = MappingProxyType({})


class GraphError(Exception):
    """The graph does not hold what a rewrite expects: a bug in gpt2forge, not an error of the user.

    The message is one line that names the node, and so the layer, with what was expected and what was found.
    """


def index_nodes(graph: ir.Graph) -> dict[str, ir.Node]:
    """Return the nodes of a graph by name."""
    return {node.name: node for node in graph if node.name}


def start_edit(graph: ir.Graph) -> Builder:
    """Return a builder without nodes that knows the graph's initializers, so that it makes each constant once."""
    return Builder(initializers=dict(graph.initializers))


def replace_nodes(graph: ir.Graph, old: Sequence[ir.Node], new: Builder, renamed: Mapping[str, str] = NONE) -> None:
    """Put the nodes of `new` in the place of `old`.

    A new value takes over the uses of the old value with the same name, or of the old name that `renamed` maps to it.
    Raises GraphError if an old value without such a successor is used outside.
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
    insert_nodes(graph, old[-1], new)
    graph.remove(old, safe=True)


def refuse_use_outside(value: ir.Value, inside: Sequence[ir.Node]) -> None:
    """Raise GraphError if a value that a rewrite removes is a graph output or an input of a node not `inside`."""
    users = [str(use.node.name) for use in value.uses() if use.node not in inside]
    users += ["the graph's outputs"] if value.is_graph_output() else []
    if users:
        raise GraphError(f"`{value.name}` cannot be removed: it is used by {', '.join(users)}")


def insert_nodes(graph: ir.Graph, place: ir.Node, new: Builder) -> None:
    """Insert nodes after `place`, and their constants into the graph."""
    insert_constants(graph, new)
    graph.insert_after(place, new.nodes)


def insert_constants(graph: ir.Graph, new: Builder) -> None:
    """Insert the constants of a builder that the graph does not have yet."""
    for name, value in new.initializers.items():
        if name not in graph.initializers:
            graph.register_initializer(value)
