"""Tells how far a package's logits depend on the number of tokens that a run reads.

1. One token and several have different kernels in onnxruntime: a sum of products with one row adds up in another order.
   So the logits after a token differ in their last bits.
2. Where activations are rounded to integers, a last bit decides now and then which integer a number becomes. From there
   on, logits differ as much as rounding changes them.
3. Attention over an int8 cache, products with integers of one scale for each channel, and products with small enough
   blocks treat each row alone. A package of these alone reads several tokens bit for bit as it reads one. That depends
   on the processor's kernels too, so it is tried.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.interface import find_cache
from gpt2forge.runtime.step import Step

ROUNDING = {"MatMulNBits", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"}
"""The operators that round a row of activations to integers."""
ADDING = {"MatMul", "Gemm", "FusedMatMul", "MatMulInteger", "DynamicQuantizeMatMul"}
"""The operators whose rows may depend on each other: by the order of sums, or by one scale for all rows."""
ALONE: Mapping[int, int] = {8: 64, 4: 32}
"""The largest blocks of MatMulNBits, by bits, whose kernel for several rows adds up as that for one row does."""
PROBE = (2, 5, 12)
"""The ends of the runs that are tried; they read two, three and seven tokens."""


@dataclass(frozen=True)
class Rounding:
    """Says how far the lead of the likeliest token may be wrong, as a share of the spread of the logits.

    `patience`: after so many steps of one token, a cache that was filled by longer runs is not worth keeping, because
    the next lead within `bound` has all of them repeated; None if such leads are too rare.
    """

    bound: float
    patience: int | None


EXACT = Rounding(0.0, None)
FLOATS = Rounding(3e-5, None)
"""In 5,282 places of the example's held-out text, leads in float32 differ by 2e-6 of the spread at most."""
INTEGERS = Rounding(1e-2, 3)
"""In the same places another token is the likeliest in 15 to 50, where its lead is 5e-3 of the spread at most."""


def find_rounding(graph: ir.Graph) -> Rounding:
    """Return the rounding of a graph's operators and of its cache; whether EXACT is true depends on the processor."""
    nodes = list(graph.all_nodes())
    if find_cache(graph).dtype == ir.DataType.INT8 and all(is_alone(node) for node in nodes):
        return EXACT
    is_float = find_cache(graph).dtype == ir.DataType.FLOAT
    return FLOATS if is_float and not any(node.op_type in ROUNDING for node in nodes) else INTEGERS


def is_alone(node: ir.Node) -> bool:
    """Return whether a node treats each row alone."""
    if node.op_type == "MatMulNBits":
        return node.attributes["block_size"].as_int() <= ALONE[node.attributes["bits"].as_int()]
    return node.op_type not in ADDING


def reads_alike(start: Callable[[int], Step], vocabulary: int) -> bool:
    """Return whether passes compute the logits of steps bit for bit, by trying a dozen random tokens."""
    count = PROBE[-1]
    tokens = np.random.default_rng(0).integers(0, vocabulary, (1, count))
    step, several = start(count), start(count)
    alone = [step(tokens[:, place : place + 1])[0].copy() for place in range(count)]
    together = [several.read_each(tokens[:, first:end])[0].copy() for first, end in pairwise((0, *PROBE))]
    return bool((np.stack(alone) == np.concatenate(together)).all())


def measure_rounding(expected: Rounding, start: Callable[[int], Step], vocabulary: int) -> Rounding:
    """Return the rounding of a package's graph, if the processor keeps what it promises."""
    return expected if expected != EXACT or reads_alike(start, vocabulary) else INTEGERS
