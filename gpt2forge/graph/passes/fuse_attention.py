"""The attention core of each layer becomes one GroupQueryAttention, fed query, key and value as c_attn packs them.

It hides what comes later by itself, from the lengths; what the attention mask leaves out it is told by a bias on the
scores. A cache that is bound as past and present at once is extended in place.

ONNX Runtime has two kernels for a prompt. The tiled one, which it prefers, took 1.6 to 2.5 times as long at 64 and 512
tokens as the plain one, and knows no `head_sink`, a score that takes part in the softmax and has no value: so each head
gets one that is too low to have a share. The plain kernel holds the scores of all heads, 4 B H S T bytes.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GroupQueryAttention
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from gpt2forge.errors import UserError
from gpt2forge.graph.attention import Heads, name_scale, write_attention
from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.graph.interface import ATTENTION_MASK, INPUT_IDS, count_layers, past_names, present_names
from gpt2forge.graph.mask import write_mask
from gpt2forge.graph.passes.pattern import index, match, replace, stand_in

SINK = float(np.finfo(np.float32).min)  # below what hides a key
WIDTH_STEP = 8  # ONNX Runtime refuses other head widths when the node runs


@dataclass(frozen=True)
class Lengths:
    """What GroupQueryAttention wants to know of all rows: int32, and the bias (B, 1, S, T)."""

    last: ir.Value  # (B,): the index of the last token, so total - 1
    total: ir.Value  # ()
    bias: ir.Value


def fuse_attention(model: ir.Model) -> None:
    """Replace `h.N.attn.core.*` by `h.N.attn.core`.

    Raises UserError when the heads have a width that the operator does not take.
    """
    graph = model.graph
    layers = [layer for layer in range(count_layers(value.name for value in graph.inputs)) if is_plain(graph, layer)]
    if not layers:
        return
    heads = read_heads(graph)
    lengths = rewrite_mask(graph)
    for layer in layers:
        fuse_layer(graph, layer, heads, lengths)


def is_plain(graph: ir.Graph, layer: int) -> bool:
    return f"h.{layer}.attn.core" not in index(graph)


def read_heads(graph: ir.Graph) -> Heads:
    """Take the heads from the shape of the cache; raises UserError when their width cannot be fused."""
    cache = next(value for value in graph.inputs if value.name == past_names(0)[0])
    assert cache.shape is not None
    _, count, _, width = cache.shape.dims
    assert isinstance(count, int) and isinstance(width, int)
    if width % WIDTH_STEP:
        raise UserError(
            f"`h.0.attn.core`: this model's heads are {width} wide, and GroupQueryAttention takes multiples of "
            f"{WIDTH_STEP}; set `fusion.attention: false`"
        )
    return Heads(count, width)


def rewrite_mask(graph: ir.Graph) -> Lengths:
    """Leave the causal part of the mask to the operator, and count the tokens for it."""
    expected = Builder()
    write_mask(expected, stand_in(INPUT_IDS), stand_in(ATTENTION_MASK))
    match(graph, expected)
    nodes = index(graph)
    new = Builder(initializers=dict(graph.initializers))

    one = new.integers("mask.single", [1])
    leading = new.integers("mask.pair", [1, 1])
    rows = new.op("mask.bias_shape", "Concat", [leading, nodes["mask.new_shape"].outputs[0], one], {"axis": 0})  # (4,)
    bias = new.op("mask.bias", "Expand", [nodes["mask.padding"].outputs[0], rows])  # (B, 1, S, T)
    length = nodes["mask.total_length"].outputs[0]
    total = new.op("mask.total", "Cast", [length], {"to": int(ir.DataType.INT32)})  # ()
    last = new.op("mask.last", "Sub", [total, new.constant("mask.one_int32", np.array(1, np.int32))])  # ()
    batch = new.op("mask.batch_shape", "Shape", [nodes["mask.absent"].inputs[0]], {"start": 0, "end": 1})  # (1,)
    seqlens = new.op("mask.last_of_each", "Expand", [last, batch])  # (B,)
    replace(graph, [nodes["mask.bias"]], new)
    return Lengths(seqlens, total, bias)


def fuse_layer(graph: ir.Graph, layer: int, heads: Heads, lengths: Lengths) -> None:
    """Replace the core of one layer."""
    name = f"h.{layer}.attn.core"
    names = [f"h.{layer}.attn.c_attn.bias_add", "mask.bias", *past_names(layer)]
    expected = Builder()
    packed, bias, *past = (stand_in(each) for each in names)
    write_attention(expected, layer, heads, 1.0, packed, past, bias)
    old = match(graph, expected, free=[name_scale(layer)])
    nodes, new = index(graph), Builder(initializers=dict(graph.initializers))

    inputs = [
        nodes[f"{name}.split"].inputs[0],  # query, key and value side by side, (B, S, 3*H*D)
        *(None, None),
        *(nodes[f"{name}.{part}"].inputs[0] for part in ("key", "value")),  # so far, (B, H, P, D)
        *(lengths.last, lengths.total),
        *(None, None, None),  # no rotation
        lengths.bias,
        new.constant("attn.no_sink", np.full(heads.count, SINK, np.float32)),
    ]
    attributes = {"num_heads": heads.count, "kv_num_heads": heads.count, "scale": read_scale(graph, layer)}
    outputs = [name, *present_names(layer)]  # (B, S, H*D), and all keys and values, (B, H, T, D)
    new.node(name, "GroupQueryAttention", inputs, attributes, outputs=outputs, domain=MICROSOFT)
    replace(graph, old, new, renamed={f"{name}.mixed_rows": name})


def read_scale(graph: ir.Graph, layer: int) -> float:
    """What a layer's scores are multiplied with; the operator takes any."""
    scale = graph.initializers[name_scale(layer)].const_value
    assert scale is not None
    return float(scale.numpy())
