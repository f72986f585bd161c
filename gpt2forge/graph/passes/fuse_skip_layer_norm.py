"""Fuses a residual sum and the norm after it into one SkipLayerNormalization, whose 4th output is the sum.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.SkipLayerNormalization
"""

from dataclasses import dataclass

import onnx_ir as ir

from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.graph.edit import GraphError, index_nodes, replace_nodes
from gpt2forge.graph.interface import KEPT_RESIDUAL, count_layers
from gpt2forge.graph.passes.pattern import make_placeholder, match_nodes


@dataclass(frozen=True)
class Residual:
    """The names of a sum, its two terms and the norm that reads it."""

    sum: str
    terms: tuple[str, str]
    norm: str


def list_residuals(layers: int) -> list[Residual]:
    """Return every sum with its norm, from the embedding to the end."""
    residuals = [Residual("embed", ("wte", "wpe"), "h.0.ln_1")]
    for layer in range(layers):
        name = f"h.{layer}"
        is_last = layer + 1 == layers
        following = "ln_f" if is_last else f"h.{layer + 1}.ln_1"
        before = KEPT_RESIDUAL if is_last else residuals[-1].sum
        attention = Residual(f"{name}.attn.residual", (before, f"{name}.attn.c_proj.bias_add"), f"{name}.ln_2")
        mlp = Residual(f"{name}.mlp.residual", (attention.sum, f"{name}.mlp.c_proj.bias_add"), following)
        residuals += [attention, mlp]
    return residuals


def fuse_skip_layer_norm(model: ir.Model) -> None:
    """Replace each residual sum and its norm; the new node has the norm's name."""
    graph = model.graph
    for residual in list_residuals(count_layers(graph.inputs)):
        norm = index_nodes(graph).get(residual.norm)
        if norm is None:
            raise GraphError(f"`{residual.norm}` is missing, expected the norm of `{residual.sum}`")
        if norm.op_type != "SkipLayerNormalization":
            fuse_residual(graph, residual, norm)


def fuse_residual(graph: ir.Graph, residual: Residual, norm: ir.Node) -> None:
    """Replace one sum and its norm."""
    epsilon = norm.attributes.get_float("epsilon", 1e-5)
    expected = Builder()
    total = expected.op(residual.sum, "Add", [make_placeholder(term) for term in residual.terms])
    gain, shift = (make_placeholder(f"{residual.norm}.{part}") for part in ("weight", "bias"))
    expected.op(residual.norm, "LayerNormalization", [total, gain, shift], {"axis": -1, "epsilon": epsilon})
    old_sum, old_norm = match_nodes(graph, expected)

    (old_total,) = old_sum.outputs
    sum_is_used = old_total.is_graph_output() or len(old_total.uses()) > 1
    outputs = [residual.norm, "", "", residual.sum] if sum_is_used else [residual.norm]  # (B, S, E)
    inputs = [*old_sum.inputs, *old_norm.inputs[1:]]
    new = Builder()
    new.node(residual.norm, "SkipLayerNormalization", inputs, {"epsilon": epsilon}, outputs=outputs, domain=MICROSOFT)
    replace_nodes(graph, [old_sum, old_norm], new)
