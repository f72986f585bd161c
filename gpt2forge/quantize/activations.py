"""Writes the quantization of activations to uint8, with one scale for each row.

Only products of uint8 activations are fast on every x86 processor. The uint8 that means 0 depends on the operator:

* Outputs of a norm or of attention have both signs: 0 is 128, and a row's largest magnitude is 127 steps from it.
* Outputs of a GELU are never below -0.1701: 24 steps reach that, and 231 are left for the largest value. On a trained
  nano this removes 0.33e-3 of the 1.72e-3 of KL to float32.
* Outputs of a ReLU are never negative, which leaves all 255 steps.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.builder import Builder

LARGEST_UINT8 = 255
LEAST = 1e-30  # the magnitude of a row of zeros, so that nothing divides by 0
LOWEST_GELU = 0.1701  # the tanh form reaches -0.17004, the erf form -0.16997


@dataclass(frozen=True)
class Levels:
    """The uint8 that means 0, and the least magnitude of a row; `name` is the prefix of their constants."""

    name: str
    zero_point: int
    least: float = LEAST

    @property
    def count(self) -> int:
        """Return the number of steps from 0 to a row's magnitude."""
        return LARGEST_UINT8 - self.zero_point

    @property
    def signed(self) -> bool:
        """Return whether negative values have as many steps as positive ones."""
        return self.count < self.zero_point


SIGNED = Levels("rows", 128)
GELU = Levels("rows.gelu", 24, LOWEST_GELU * (LARGEST_UINT8 - 24) / 24)  # 24 steps reach the lowest value
RELU = Levels("rows.relu", 0)
LEVELS = {"FastGelu": GELU, "Gelu": GELU, "BiasGelu": GELU, "Relu": RELU}


def choose_levels(x: ir.Value) -> Levels:
    """Return the levels for the operator that computes x; the last standard operator of a GELU is named `*.gelu`."""
    node = x.producer()
    if node is None:
        return SIGNED
    return GELU if str(node.name).endswith(".gelu") else LEVELS.get(node.op_type, SIGNED)


def refer_zero_point(builder: Builder, levels: Levels) -> ir.Value:
    """Return the uint8 that means 0, ()."""
    return builder.constant(f"{levels.name}.zero_point", np.array(levels.zero_point, np.uint8))


def write_rows(builder: Builder, name: str, x: ir.Value, levels: Levels) -> tuple[ir.Value, ir.Value]:
    """Write the nodes `{name}.*`; return x (B, S, K) as uint8 and the magnitude (B, S, 1) of each row.

    Each row is divided by its magnitude first, so that one QuantizeLinear fits all rows.
    """
    sizes = builder.op(f"{name}.sizes", "Abs", [x]) if levels.signed else x  # (B, S, K)
    largest = builder.op(f"{name}.largest", "ReduceMax", [sizes], {"axes": [-1], "keepdims": 1})  # (B, S, 1)
    least = builder.floats(f"{levels.name}.least", levels.least)
    magnitude = builder.op(f"{name}.magnitude", "Max", [largest, least])  # (B, S, 1)
    parts = builder.op(f"{name}.parts", "Div", [x, magnitude])  # (B, S, K), at most 1
    step = builder.floats(f"{levels.name}.level", 1 / levels.count)
    integers = builder.op(f"{name}.integers", "QuantizeLinear", [parts, step, refer_zero_point(builder, levels)])
    return integers, magnitude
