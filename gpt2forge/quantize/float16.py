"""Stores everything as float16 instead of float32: weights, arithmetic, keys and values; logits become float32 again.

|x - value| <= 2^-11 |x|, and at most 2^-25 below the smallest normal number, 2^-14.

On CUDA, float16 works for every operator that `fusion.attention: false` leaves:
https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md. GroupQueryAttention takes it too, but the
released CUDA kernels refuse its bias: https://github.com/microsoft/onnxruntime/issues/29506.
"""

from typing import Any

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.builder import Builder
from gpt2forge.graph.interface import LOGITS
from gpt2forge.quantize.blocks import Floats
from gpt2forge.quantize.data_file import Layout, refer
from gpt2forge.quantize.scheme import HALF
from gpt2forge.quantize.stored_weight import StoredWeight

Halves = np.ndarray[Any, np.dtype[np.float16]]

LARGEST_CONSTANT = 32752.0
"""Half of the largest float16, so that the bias of a hidden key plus any score above its negative stays finite."""


def round_to_float16(values: Floats) -> Halves:
    """Return the nearest float16 of each value. Raises ValueError if a value is not finite or is beyond 65504."""
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite")
    with np.errstate(over="ignore"):
        halves: Halves = values.astype(np.float16)
    if not np.isfinite(halves).all():
        raise ValueError(f"a value is beyond {np.finfo(np.float16).max:.0f}, the largest of float16")
    return halves


def convert_graph(graph: ir.Graph, layout: Layout) -> list[StoredWeight]:
    """Convert a graph of standard operators to float16, and return how and where each weight is to be stored."""
    weights = [convert_weight(value, layout) for value in graph.initializers.values() if is_weight(value)]
    for value in graph.initializers.values():
        if is_float32(value):
            convert_constant(value)
    for value in (*graph.inputs, *(output for node in graph for output in node.outputs)):
        if value.dtype == ir.DataType.FLOAT and value.name != LOGITS:
            value.type = ir.TensorType(ir.DataType.FLOAT16)
    cast_logits(graph)
    return weights


def is_weight(value: ir.Value) -> bool:
    return isinstance(value.const_value, ir.ExternalTensor)


def is_float32(value: ir.Value) -> bool:
    return value.const_value is not None and value.const_value.dtype == ir.DataType.FLOAT


def convert_weight(value: ir.Value, layout: Layout) -> StoredWeight:
    """Make an external initializer float16, in a new place of `layout`."""
    source = value.const_value
    assert isinstance(source, ir.ExternalTensor) and source.name is not None
    region, half = layout.reserve((source.length or 0) // 2), ir.DataType.FLOAT16
    value.const_value = refer(source.name, half, source.shape.numpy(), region).const_value
    value.type = ir.TensorType(half)
    return StoredWeight(source=source, storage=HALF, data=region)


def convert_constant(value: ir.Value) -> None:
    assert value.const_value is not None
    array = np.clip(value.const_value.numpy(), -LARGEST_CONSTANT, LARGEST_CONSTANT).astype(np.float16)
    value.const_value = ir.Tensor(array, name=value.name)
    value.type = ir.TensorType(ir.DataType.FLOAT16)


def cast_logits(graph: ir.Graph) -> None:
    """Cast the logits to float32, which hosts read."""
    place = next(place for place, output in enumerate(graph.outputs) if output.name == LOGITS)
    half, builder = graph.outputs[place], Builder()
    cast = {"to": int(ir.DataType.FLOAT)}
    (wide,) = builder.node(f"{LOGITS}.float32", "Cast", [half], cast, outputs=[LOGITS])  # (B, K, V)
    wide.type, wide.shape = half.type, half.shape
    half.name, half.type = f"{LOGITS}.half", ir.TensorType(ir.DataType.FLOAT16)
    graph.extend(builder.nodes)
    graph.outputs[place] = wide
