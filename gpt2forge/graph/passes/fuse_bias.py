"""Moves the bias of a linear layer into the operator after it, if that operator can add a bias.

FastGelu and SkipLayerNormalization can, and Gelu has a variant that can, BiasGelu. So the pass moves biases only where
those operators were fused and leaves the others as they are.
"""

import onnx_ir as ir

from gpt2forge.graph.builder import Builder
from gpt2forge.graph.edit import index_nodes, refuse_use_outside
from gpt2forge.graph.interface import count_layers
from gpt2forge.graph.passes.pattern import make_placeholder, match_nodes

NORM = "SkipLayerNormalization"
NORM_BIAS, GELU_BIAS = 4, 1  # the number of the input that is the bias
GELUS = {"FastGelu": "FastGelu", "Gelu": "BiasGelu"}  # each activation and its variant with a bias


def fuse_bias(model: ir.Model) -> None:
    """Move the bias of c_fc into the activation, and the biases of both c_proj into the norms after them."""
    graph = model.graph
    layers = count_layers(graph.inputs)
    for layer in range(layers):
        following = f"h.{layer + 1}.ln_1" if layer + 1 < layers else "ln_f"
        move_bias(graph, f"h.{layer}.attn.c_proj", f"h.{layer}.ln_2", operator=NORM, slot=NORM_BIAS)
        for plain, biased in GELUS.items():
            if move_bias(graph, f"h.{layer}.mlp.c_fc", f"h.{layer}.mlp.act", operator=plain, slot=GELU_BIAS):
                index_nodes(graph)[f"h.{layer}.mlp.act"].op_type = biased
        move_bias(graph, f"h.{layer}.mlp.c_proj", following, operator=NORM, slot=NORM_BIAS)


def move_bias(graph: ir.Graph, linear: str, reader: str, operator: str, slot: int) -> bool:
    """Remove the bias_add of `linear` and feed its bias to input `slot` of the node `reader`, if that is an `operator`.

    Return whether the bias was moved.
    """
    nodes = index_nodes(graph)
    node = nodes.get(reader)
    if node is None or node.op_type != operator or len(node.inputs) > slot:
        return False
    expected = Builder()
    expected.op(f"{linear}.bias_add", "Add", [make_placeholder(linear), make_placeholder(f"{linear}.bias")])
    (bias_add,) = match_nodes(graph, expected)
    refuse_use_outside(bias_add.outputs[0], [node])
    product, bias = bias_add.inputs
    node.resize_inputs(slot + 1)
    for position, value in enumerate(node.inputs):
        if value is bias_add.outputs[0]:
            node.replace_input_with(position, product)
    node.replace_input_with(slot, bias)
    graph.remove(bias_add, safe=True)
    return True
