"""The bias of a linear layer moves into the operator behind it, where that one adds a bias by itself.

FastGelu and SkipLayerNormalization do, and Gelu has a twin that does, BiasGelu; so this works where those were fused,
and leaves the other biases as they are.
"""

import onnx_ir as ir

from gpt2forge.graph.builder import Builder
from gpt2forge.graph.interface import count_layers
from gpt2forge.graph.passes.pattern import index, match, refuse_use_outside, stand_in

SKIP_LAYER_NORM = "SkipLayerNormalization"
SKIP_LAYER_NORM_BIAS = 4
GELU_BIAS = 1
GELUS = {"FastGelu": "FastGelu", "Gelu": "BiasGelu"}  # an activation, and what it is with a bias


def fuse_bias(model: ir.Model) -> None:
    """Give c_fc's bias to the activation, and that of both c_proj to the norms behind them."""
    graph = model.graph
    layers = count_layers(value.name for value in graph.inputs)
    for layer in range(layers):
        behind = f"h.{layer + 1}.ln_1" if layer + 1 < layers else "ln_f"
        move_bias(graph, f"h.{layer}.attn.c_proj", f"h.{layer}.ln_2", SKIP_LAYER_NORM, SKIP_LAYER_NORM_BIAS)
        for plain, biased in GELUS.items():
            if move_bias(graph, f"h.{layer}.mlp.c_fc", f"h.{layer}.mlp.act", plain, GELU_BIAS):
                index(graph)[f"h.{layer}.mlp.act"].op_type = biased
        move_bias(graph, f"h.{layer}.mlp.c_proj", behind, SKIP_LAYER_NORM, SKIP_LAYER_NORM_BIAS)


def move_bias(graph: ir.Graph, linear: str, taker: str, operator: str, slot: int) -> bool:
    """Take `linear`'s bias_add away and feed its bias to input `slot` of the node `taker`, if that is an `operator`.

    Says whether that was so.
    """
    nodes = index(graph)
    node = nodes.get(taker)
    if node is None or node.op_type != operator or len(node.inputs) > slot:
        return False
    expected = Builder()
    expected.op(f"{linear}.bias_add", "Add", [stand_in(linear), stand_in(f"{linear}.bias")])
    (bias_add,) = match(graph, expected)
    refuse_use_outside(bias_add.outputs[0], [node])
    product, bias = bias_add.inputs
    node.resize_inputs(slot + 1)
    for position, value in enumerate(node.inputs):
        if value is bias_add.outputs[0]:
            node.replace_input_with(position, product)
    node.replace_input_with(slot, bias)
    graph.remove(bias_add, safe=True)
    return True
