"""Tells how far a package's logits depend on the number of tokens that a run reads.

One token and several have different kernels in onnxruntime: a matrix product with one row adds up in another order. So
the logits after a token differ in their last bits. Where activations are rounded to integers, a last bit decides now
and then which integer a number becomes, and from there on logits differ as much as rounding changes them.
"""

from dataclasses import dataclass

import onnx_ir as ir

from gpt2forge.graph.interface import find_cache

ROUNDING = {"MatMulNBits", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"}
"""The operators that round a row of activations to integers."""


@dataclass(frozen=True)
class Rounding:
    """How far the lead of the likeliest token may be wrong, as a share of the spread of the logits.

    `patience`: after so many steps of one token, a cache that was filled by longer runs is not worth keeping, because
    the next lead within `bound` has all of them repeated; None if such leads are too rare.
    """

    bound: float
    patience: int | None


FLOATS = Rounding(3e-5, None)
"""On the example, leads in float32 differ by 1e-6 of the spread at most, and by 1e-7 mostly."""
INTEGERS = Rounding(1e-2, 8)
"""On the example, leads differ by 6e-3 at most, and by 1e-3 mostly."""


def find_rounding(graph: ir.Graph) -> Rounding:
    """Return the rounding of a graph's operators and of its cache."""
    is_float = find_cache(graph).dtype == ir.DataType.FLOAT
    return FLOATS if is_float and not any(node.op_type in ROUNDING for node in graph.all_nodes()) else INTEGERS
