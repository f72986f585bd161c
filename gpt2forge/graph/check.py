"""Holds a graph against the ONNX standard, without touching its weights."""

import onnx
import onnx_ir as ir


def check_graph(model: ir.Model) -> None:
    """Check every standard operator against its schema, and that all shapes agree; raises ValueError if not.

    onnx looks for the files of external data. So the weights are declared as inputs here, which says as much of
    their shapes. Operators of ONNX Runtime's own domain have no schema in onnx and are passed over.
    """
    proto = ir.to_proto(model)
    declared = {value.name for value in proto.graph.input}
    outside = [each for each in proto.graph.initializer if each.data_location == onnx.TensorProto.EXTERNAL]
    inside = [each for each in proto.graph.initializer if each.data_location != onnx.TensorProto.EXTERNAL]
    for tensor in outside:
        if tensor.name in declared:
            raise ValueError(f"`{tensor.name}` is a weight and an input")
        proto.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(inside)
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(f"the graph is not valid ONNX: {error}") from error
