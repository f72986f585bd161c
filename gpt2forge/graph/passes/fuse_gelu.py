"""Fuses the nodes of a GELU into one: FastGelu for the tanh form, Gelu for the erf form.

Other activations are one or two standard operators and stay as they are.
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.FastGelu
"""

import onnx_ir as ir

from gpt2forge.graph.activation import write_erf_gelu, write_tanh_gelu
from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.graph.edit import index_nodes, replace_nodes
from gpt2forge.graph.interface import count_layers
from gpt2forge.graph.passes.pattern import make_placeholder, match_nodes


def fuse_gelu(model: ir.Model) -> None:
    """Replace `h.N.mlp.act.*` by `h.N.mlp.act`, unless the graph has that already."""
    graph = model.graph
    for layer in range(count_layers(graph.inputs)):
        name = f"h.{layer}.mlp.act"
        nodes = index_nodes(graph)
        if name not in nodes:
            fuse_layer(graph, name, f"h.{layer}.mlp.c_fc.bias_add", has_erf=f"{name}.erf" in nodes)


def fuse_layer(graph: ir.Graph, name: str, source: str, has_erf: bool) -> None:
    """Replace the GELU that reads the value `source`."""
    write, operator = (write_erf_gelu, "Gelu") if has_erf else (write_tanh_gelu, "FastGelu")
    expected = Builder()
    write(expected, name, make_placeholder(source))
    old = match_nodes(graph, expected)
    new = Builder()
    new.node(name, operator, [old[0].inputs[0]], domain=MICROSOFT)  # (B, S, I)
    replace_nodes(graph, old, new, renamed={f"{name}.gelu": name})
