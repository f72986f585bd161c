"""Stores the KV cache as int8, a quarter of the bytes that each new token reads.

stored = round(x / scale), cut to -128 ... 127. Each channel of each head has a scale, which is fixed when the package
is built. GroupQueryAttention writes new keys and values and reads stored ones, for one token as for many. The cache
inputs and outputs of the graph become int8, which changes its interface.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GroupQueryAttention
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from gpt2forge.errors import UserError
from gpt2forge.graph.builder import Attribute, Builder
from gpt2forge.graph.edit import index_nodes, start_edit
from gpt2forge.graph.interface import IN_PLACE, count_layers
from gpt2forge.quantize.blocks import Floats
from gpt2forge.quantize.channel import scale_channels

HEADROOM = np.float32(1.1)
"""The range of a channel as a multiple of the magnitude that calibration saw. Cutting costs far more than longer steps:
on nano the KL by the cache alone rose from 2.0e-4 to 2.2e-4 with 8192 calibration tokens, and fell from 4.0e-4 to
2.7e-4 with 2048 tokens and from 1.4e-3 to 5.5e-4 with 512 tokens."""

PAST, SCALES = slice(3, 5), slice(12, 14)  # the operator's inputs for keys and values
PRESENT = slice(1, 3)  # its outputs for keys and values
ATTRIBUTES: dict[str, Attribute] = {
    "k_quant_type": "PER_CHANNEL",
    "v_quant_type": "PER_CHANNEL",
    "kv_cache_bit_width": 8,
}


@dataclass(frozen=True)
class Magnitudes:
    """The largest magnitudes that calibration saw in the keys and values of a layer, (H, D) each."""

    key: Floats
    value: Floats


def quantize_cache(model: ir.Model, magnitudes: Sequence[Magnitudes]) -> None:
    """Make every layer store its keys and values as int8; values beyond the magnitudes times HEADROOM are cut.

    Raises UserError if the attention is not fused, or the magnitudes are not finite or not those of this model.
    """
    graph = model.graph
    layers = count_layers(graph.inputs)
    if len(magnitudes) != layers:
        raise UserError(
            f"the statistics are of {len(magnitudes)} layers, but this model has {layers}; calibrate this model"
        )
    builder = start_edit(graph)
    for layer, found in enumerate(magnitudes):
        quantize_layer(graph, layer, found, builder)
    graph.initializers.update(builder.initializers)


def quantize_layer(graph: ir.Graph, layer: int, magnitudes: Magnitudes, builder: Builder) -> None:
    """Add the scales of a layer to its attention node, and make the node's cache inputs and outputs int8."""
    name = f"h.{layer}.attn"
    node = index_nodes(graph).get(f"{name}.core")
    if node is None or node.op_type != IN_PLACE:
        raise UserError("`quantization.kv_cache: int8` needs `fusion.attention: true`")
    cache = [*node.inputs[PAST], *node.outputs[PRESENT]]
    assert cache[0] is not None and cache[0].shape is not None
    _, heads, _, width = cache[0].shape.dims
    node.resize_inputs(SCALES.stop)
    for place, (part, largest) in zip(range(SCALES.stop)[SCALES], vars(magnitudes).items(), strict=True):
        if largest.shape != (heads, width):
            wrong = f"is {list(largest.shape)}, but this model's heads are {[heads, width]}"
            raise UserError(f"`{name}.{part}.largest` {wrong}; calibrate this model")
        node.replace_input_with(place, write_scales(builder, f"{name}.{part}", largest))
    node.attributes.update((each.name, each) for each in ir.convenience.convert_attributes(ATTRIBUTES))
    for value in cache:
        assert value is not None
        value.type = ir.TensorType(ir.DataType.INT8)


def write_scales(builder: Builder, name: str, largest: Floats) -> ir.Value:
    """Return the scales (1, H, 1, D) of a layer's keys or values, from their largest magnitudes (H, D)."""
    try:
        scales = scale_channels(largest * HEADROOM)
    except ValueError as fault:
        fix = "start from an earlier checkpoint, or use `kv_cache: float32`"
        raise UserError(f"`{name}.largest`: {fault}; {fix}") from fault
    return builder.constant(f"{name}.scales", scales[None, :, None, :])
