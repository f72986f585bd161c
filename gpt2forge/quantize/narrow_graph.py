"""Makes a float32 graph one of float16: weights, arithmetic, keys and values; the logits become float32 again.

Every operator that is left in `fusion.attention: false` takes float16 on CUDA:
https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md. GroupQueryAttention does too, and released
kernels for CUDA refuse its bias: https://github.com/microsoft/onnxruntime/issues/29506.
"""

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.builder import Builder
from gpt2forge.graph.interface import LOGITS
from gpt2forge.quantize.data_file import Layout, refer
from gpt2forge.quantize.item import Item
from gpt2forge.quantize.scheme import HALF

FARTHEST = 32752.0  # half of the largest float16: what hides a score stays finite with any score above its negative


def narrow_graph(graph: ir.Graph, layout: Layout) -> list[Item]:
    """Change the types of a graph of standard operators, and say how each weight is to be stored and where."""
    items = [narrow_weight(value, layout) for value in graph.initializers.values() if is_weight(value)]
    for value in graph.initializers.values():
        if is_float32(value):
            narrow_constant(value)
    for value in (*graph.inputs, *(output for node in graph for output in node.outputs)):
        if value.dtype == ir.DataType.FLOAT and value.name != LOGITS:
            value.type = ir.TensorType(ir.DataType.FLOAT16)
    widen_logits(graph)
    return items


def is_weight(value: ir.Value) -> bool:
    return isinstance(value.const_value, ir.ExternalTensor)


def is_float32(value: ir.Value) -> bool:
    return value.const_value is not None and value.const_value.dtype == ir.DataType.FLOAT


def narrow_weight(value: ir.Value, layout: Layout) -> Item:
    weight = value.const_value
    assert isinstance(weight, ir.ExternalTensor) and weight.name is not None
    region, half = layout.reserve((weight.length or 0) // 2), ir.DataType.FLOAT16
    value.const_value = refer(weight.name, half, weight.shape.numpy(), region).const_value
    value.type = ir.TensorType(half)
    return Item(weight, HALF, False, region, None)


def narrow_constant(value: ir.Value) -> None:
    assert value.const_value is not None
    array = np.clip(value.const_value.numpy(), -FARTHEST, FARTHEST).astype(np.float16)
    value.const_value = ir.Tensor(array, name=value.name)
    value.type = ir.TensorType(ir.DataType.FLOAT16)


def widen_logits(graph: ir.Graph) -> None:
    """A host that samples reads float32."""
    place = next(place for place, output in enumerate(graph.outputs) if output.name == LOGITS)
    half, builder = graph.outputs[place], Builder()
    (wide,) = builder.node(
        f"{LOGITS}.float32", "Cast", [half], {"to": int(ir.DataType.FLOAT)}, outputs=[LOGITS]
    )  # (B, K, V)
    wide.type, wide.shape = half.type, half.shape
    half.name, half.type = f"{LOGITS}.half", ir.TensorType(ir.DataType.FLOAT16)
    graph.extend(builder.nodes)
    graph.outputs[place] = wide
