"""The keys and values of the tokens so far as int8: a quarter of the memory that each new token reads.

stored = round(x / scale), cut to -128 ... 127, with a scale for each channel of each head, fixed when the package is
made; GroupQueryAttention stores what is new and reads what is stored, in a pass of many tokens as in one of a single.
The graph takes and gives int8 in the place of float32, which is another interface.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GroupQueryAttention
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from gpt2forge.errors import UserError
from gpt2forge.graph.builder import Attribute, Builder
from gpt2forge.graph.interface import IN_PLACE, count_layers
from gpt2forge.quantize.blocks import Floats
from gpt2forge.quantize.channel import scale_channels
from gpt2forge.quantize.edit import start_edit

ROOM = np.float32(1.1)
"""How much larger than what calibration saw a key or value may be before it is cut, which costs far more than a longer
step: nano's KL by the cache alone rose from 2.0e-4 to 2.2e-4 where 8192 tokens were seen, and fell from 4.0e-4 to
2.7e-4 where 2048 were, from 1.4e-3 to 5.5e-4 where 512 were."""

PAST, SCALES = slice(3, 5), slice(12, 14)  # of the operator's inputs, those of keys and of values
PRESENT = slice(1, 3)  # of its outputs
ATTRIBUTES: dict[str, Attribute] = {
    "k_quant_type": "PER_CHANNEL",
    "v_quant_type": "PER_CHANNEL",
    "kv_cache_bit_width": 8,
}


@dataclass(frozen=True)
class Magnitudes:
    """The largest magnitudes that calibration saw in one layer's keys and values, (H, D) each."""

    key: Floats
    value: Floats


def quantize_cache(model: ir.Model, magnitudes: Sequence[Magnitudes]) -> None:
    """Let every layer keep its keys and values as int8; those beyond its magnitudes and ROOM are cut.

    Raises UserError when the attention is not fused, or when the magnitudes are not this model's, or not finite.
    """
    graph = model.graph
    layers = count_layers(value.name for value in graph.inputs)
    if len(magnitudes) != layers:
        raise UserError(
            f"statistics of {len(magnitudes)} layers are not this model's, which has {layers}; calibrate it"
        )
    builder = start_edit(graph)
    for layer, found in enumerate(magnitudes):
        quantize_layer(graph, layer, found, builder)
    graph.initializers.update(builder.initializers)


def quantize_layer(graph: ir.Graph, layer: int, magnitudes: Magnitudes, builder: Builder) -> None:
    """Tell the attention node of a layer its scales, and say what it takes and gives."""
    name = f"h.{layer}.attn"
    node = next((node for node in graph if node.name == f"{name}.core" and node.op_type == IN_PLACE), None)
    if node is None:
        raise UserError("`quantization.kv_cache: int8` needs `fusion.attention: true`")
    cache = [*node.inputs[PAST], *node.outputs[PRESENT]]
    assert cache[0] is not None and cache[0].shape is not None
    _, heads, _, width = cache[0].shape.dims
    node.resize_inputs(SCALES.stop)
    for place, (part, largest) in zip(range(SCALES.stop)[SCALES], vars(magnitudes).items(), strict=True):
        if largest.shape != (heads, width):
            wrong = f"is {list(largest.shape)} and the model's heads are {[heads, width]}"
            raise UserError(f"`{name}.{part}.largest` {wrong}; calibrate the model again")
        node.replace_input_with(place, write_scales(builder, f"{name}.{part}", largest))
    node.attributes.update((each.name, each) for each in ir.convenience.convert_attributes(ATTRIBUTES))
    for value in cache:
        assert value is not None
        value.type = ir.TensorType(ir.DataType.INT8)


def write_scales(builder: Builder, name: str, largest: Floats) -> ir.Value:
    """The scales (1, H, 1, D) of a layer's keys or values, from their largest magnitudes (H, D)."""
    try:
        scales = scale_channels(largest * ROOM)
    except ValueError as fault:
        fix = "start from an earlier checkpoint, or use `kv_cache: float32`"
        raise UserError(f"`{name}.largest`: {fault}; {fix}") from fault
    return builder.constant(f"{name}.scales", scales[None, :, None, :])
