"""Whether a graph can extend the keys and values of the tokens so far where they lie."""

import onnx_ir as ir

IN_PLACE = "GroupQueryAttention"


def extends_in_place(graph: ir.Graph) -> bool:
    """True when the same memory may be bound as past and present; else the present is new memory each time."""
    return any(node.op_type == IN_PLACE for node in graph)
