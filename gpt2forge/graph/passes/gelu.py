"""The nine nodes of GPT-2's activation become one FastGelu.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.FastGelu
"""

import onnx_ir as ir

from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.graph.gelu import write_gelu
from gpt2forge.graph.interface import count_layers
from gpt2forge.graph.pattern import index, match, replace, stand_in


def fuse_gelu(model: ir.Model) -> None:
    """Replace `h.N.mlp.act.*` by `h.N.mlp.act`."""
    graph = model.graph
    for layer in range(count_layers(value.name for value in graph.inputs)):
        name = f"h.{layer}.mlp.act"
        if name in index(graph):
            continue
        expected = Builder()
        write_gelu(expected, name, stand_in(f"h.{layer}.mlp.c_fc.bias_add"))
        old = match(graph, expected)
        new = Builder()
        new.node(name, "FastGelu", [old[0].inputs[0]], domain=MICROSOFT)  # (B, S, I)
        replace(graph, old, new, renamed={f"{name}.gelu": name})
