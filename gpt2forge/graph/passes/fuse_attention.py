"""Fuses the attention core of each layer into one GroupQueryAttention.

The operator reads query, key and value as c_attn packs them. It hides later tokens by itself, from the lengths. A
bias on the scores hides the tokens that the attention mask leaves out. A cache that is bound both as past and as
present is extended in place.

ONNX Runtime has two kernels for a prompt. The tiled kernel, which it prefers, took 1.6 to 2.5 times as long at 64 and
512 tokens as the plain kernel. It does not support `head_sink`, a score without a value in the softmax. So each head
gets a sink too low to have a share, which selects the plain kernel. That one holds the scores of all heads,
4 B H S T bytes.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GroupQueryAttention
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from gpt2forge.errors import UserError
from gpt2forge.graph.attention import Heads, name_scale, read_heads, write_attention
from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.graph.edit import index_nodes, replace_nodes, start_edit
from gpt2forge.graph.interface import ATTENTION_MASK, INPUT_IDS, count_layers, past_names, present_names
from gpt2forge.graph.mask import write_mask
from gpt2forge.graph.passes.pattern import make_placeholder, match_nodes

SINK = float(np.finfo(np.float32).min)  # below the bias of a hidden key
WIDTH_STEP = 8  # ONNX Runtime fails at run time for head widths that are not a multiple


@dataclass(frozen=True)
class Lengths:
    """The inputs of GroupQueryAttention that all layers share: int32 lengths, and the bias (B, 1, S, T)."""

    last: ir.Value  # (B,), the index of the last token: total - 1
    total: ir.Value  # ()
    bias: ir.Value


def fuse_attention(model: ir.Model) -> None:
    """Replace `h.N.attn.core.*` by `h.N.attn.core`.

    Raises UserError if the operator does not support the width of the heads.
    """
    graph = model.graph
    layers = [layer for layer in range(count_layers(graph.inputs)) if is_plain(graph, layer)]
    if not layers:
        return
    heads = read_heads(graph)
    check_width(heads)
    lengths = rewrite_mask(graph)
    for layer in layers:
        fuse_layer(graph, layer, heads, lengths)


def is_plain(graph: ir.Graph, layer: int) -> bool:
    return f"h.{layer}.attn.core" not in index_nodes(graph)


def check_width(heads: Heads) -> None:
    """Raise UserError if the operator does not support the width of the heads."""
    if heads.width % WIDTH_STEP:
        raise UserError(
            f"`h.0.attn.core`: this model's heads are {heads.width} wide, but GroupQueryAttention takes only multiples "
            f"of {WIDTH_STEP}; set `fusion.attention: false`"
        )


def rewrite_mask(graph: ir.Graph) -> Lengths:
    """Remove the causal part of the mask, which the operator computes itself, and compute the lengths for it."""
    expected = Builder()
    write_mask(expected, make_placeholder(INPUT_IDS), make_placeholder(ATTENTION_MASK))
    match_nodes(graph, expected)
    nodes = index_nodes(graph)
    new = start_edit(graph)

    one = new.integers("mask.single", [1])
    leading = new.integers("mask.pair", [1, 1])
    rows = new.op("mask.bias_shape", "Concat", [leading, nodes["mask.new_shape"].outputs[0], one], {"axis": 0})  # (4,)
    bias = new.op("mask.bias", "Expand", [nodes["mask.padding"].outputs[0], rows])  # (B, 1, S, T)
    length = nodes["mask.total_length"].outputs[0]
    total = new.op("mask.total", "Cast", [length], {"to": int(ir.DataType.INT32)})  # ()
    last = new.op("mask.last", "Sub", [total, new.constant("mask.one_int32", np.array(1, np.int32))])  # ()
    batch = new.op("mask.batch_shape", "Shape", [nodes["mask.absent"].inputs[0]], {"start": 0, "end": 1})  # (1,)
    seqlens = new.op("mask.last_of_each", "Expand", [last, batch])  # (B,)
    replace_nodes(graph, [nodes["mask.bias"]], new)
    return Lengths(seqlens, total, bias)


def fuse_layer(graph: ir.Graph, layer: int, heads: Heads, lengths: Lengths) -> None:
    """Replace the core of one layer."""
    name = f"h.{layer}.attn.core"
    names = [f"h.{layer}.attn.c_attn.bias_add", "mask.bias", *past_names(layer)]
    expected = Builder()
    packed, bias, *past = (make_placeholder(each) for each in names)
    write_attention(expected, layer, heads, scale=1.0, packed=packed, past=past, bias=bias)
    old = match_nodes(graph, expected, free=[name_scale(layer)])
    nodes, new = index_nodes(graph), start_edit(graph)

    inputs = [
        nodes[f"{name}.split"].inputs[0],  # query, key and value side by side, (B, S, 3*H*D)
        *(None, None),
        *(nodes[f"{name}.{part}"].inputs[0] for part in ("key", "value")),  # of the earlier tokens, (B, H, P, D)
        *(lengths.last, lengths.total),
        *(None, None, None),  # no rotary embedding
        lengths.bias,
        new.constant("attn.no_sink", np.full(heads.count, SINK, np.float32)),
    ]
    attributes = {"num_heads": heads.count, "kv_num_heads": heads.count, "scale": read_scale(graph, layer)}
    outputs = [name, *present_names(layer)]  # (B, S, H*D), and all keys and values, (B, H, T, D)
    new.node(name, "GroupQueryAttention", inputs, attributes, outputs=outputs, domain=MICROSOFT)
    replace_nodes(graph, old, new, renamed={f"{name}.mixed_rows": name})


def read_scale(graph: ir.Graph, layer: int) -> float:
    """Read the factor of a layer's scores; the operator takes any."""
    scale = graph.initializers[name_scale(layer)].const_value
    assert scale is not None
    return float(scale.numpy())
