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
"""In 5,282 places of the example's held-out text, leads in float32 differ by 2e-6 of the spread at most."""
INTEGERS = Rounding(1e-2, 3)
"""In the same places another token is the likeliest in 15 to 50, where its lead is 5e-3 of the spread at most."""


def find_rounding(graph: ir.Graph) -> Rounding:
    """Return the rounding of a graph's operators and of its cache."""
    is_float = find_cache(graph).dtype == ir.DataType.FLOAT
    return FLOATS if is_float and not any(node.op_type in ROUNDING for node in graph.all_nodes()) else INTEGERS
