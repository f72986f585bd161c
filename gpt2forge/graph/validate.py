"""Checks a graph against the ONNX standard without reading its weights.

onnx looks for the files of external data, and stops being strict at an operator that it does not know. So this module
declares weights and the outputs of ONNX Runtime's own operators as inputs, which give the same shapes.
"""

import onnx
import onnx_ir as ir

from gpt2forge.graph.builder import MICROSOFT


def annotate_shapes(model: ir.Model) -> None:
    """Infer the shape of every value of a graph of standard operators. Raises ValueError if shapes do not agree.

    Rewrites give the shapes of replaced values to their successors, so that `check_graph` knows them.
    """
    inferred = {info.name: info for info in infer_shapes(declare_unknown(model)).graph.value_info}
    for value in (value for node in model.graph for value in node.outputs):
        if value.name in inferred:
            ir.serde.deserialize_value_info_proto(inferred[value.name], value)


def check_graph(model: ir.Model) -> None:
    """Check every standard operator against its schema, and that all shapes agree. Raises ValueError if not.

    The outputs of other operators need shapes, see `annotate_shapes`.
    """
    proto = declare_unknown(model)
    try:
        onnx.checker.check_model(proto)
    except onnx.checker.ValidationError as error:
        raise ValueError(f"the graph is not valid ONNX: {error}") from error
    infer_shapes(proto)


def infer_shapes(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy with the shape of every value. Raises ValueError if shapes do not agree."""
    try:
        return onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise ValueError(f"the graph is not valid ONNX: {error}") from error


def declare_unknown(model: ir.Model) -> onnx.ModelProto:
    """Return the model with inputs in place of weights and of the outputs of operators that onnx does not know."""
    proto = ir.to_proto(model)
    graph = proto.graph
    foreign = [node for node in graph.node if node.domain == MICROSOFT]
    outside = [tensor for tensor in graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
    known = {info.name: info for info in (*graph.value_info, *graph.output)}
    for name in (name for node in foreign for name in node.output if name):
        graph.input.append(known.get(name, onnx.ValueInfoProto(name=name)))
    for tensor in outside:
        graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    for listed, gone in ((graph.node, foreign), (graph.initializer, outside)):
        for item in gone:
            listed.remove(item)
    return proto
