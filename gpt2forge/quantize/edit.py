"""Changes to a graph that every way of quantizing needs."""

from collections.abc import Sequence

import onnx_ir as ir

from gpt2forge.graph.builder import Builder


def start_edit(graph: ir.Graph) -> Builder:
    """A builder without nodes that knows the graph's initializers, so that a constant is made once."""
    return Builder(initializers=dict(graph.initializers.items()))


def replace(graph: ir.Graph, old: Sequence[ir.Node], builder: Builder, result: ir.Value) -> None:
    """Put the builder's nodes where the last of the `old` ones stands; `result` takes over its output and name."""
    output = old[-1].outputs[0]
    name, result.type, result.shape = output.name, output.type, output.shape
    ir.convenience.replace_all_uses_with(output, result, replace_graph_outputs=True)
    graph.insert_before(old[-1], builder.nodes)
    graph.remove(old, safe=True)
    result.name = name
    for key, value in builder.initializers.items():
        graph.initializers.setdefault(key, value)
