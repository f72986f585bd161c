"""Writes the quantization of an activation: uint8, with a scale of its own for each row.

uint8 is the one form of integer product that is fast on every x86. Where 0 lies in it depends on what the values are:

* What a norm or the attention gives is of both signs: 0 is 128, and a row's largest magnitude is 127 steps from it.
* A GELU gives nothing below -0.1701: with 24 for that, 231 steps are left for the largest value. On a trained nano that
  takes 0.33e-3 of the 1.72e-3 of KL to float32.
* A ReLU gives nothing below 0, and all 255 steps are left.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from gpt2forge.graph.builder import Builder

LARGEST_UINT8 = 255
LEAST = 1e-30  # of a row's magnitude, so that a row of zeros divides by no zero
LOWEST_GELU = 0.1701  # the tanh form's is 0.17004, the erf form's 0.16997


@dataclass(frozen=True)
class Levels:
    """Which uint8 is 0, and the least magnitude that a row is said to have; `name` is that of its constants."""

    name: str
    zero_point: int
    least: float = LEAST

    @property
    def count(self) -> int:
        """How many steps a row's magnitude has."""
        return LARGEST_UINT8 - self.zero_point

    @property
    def signed(self) -> bool:
        """Whether values below 0 count as those above."""
        return self.count < self.zero_point


SIGNED = Levels("rows", 128)
GELU = Levels("rows.gelu", 24, LOWEST_GELU * (LARGEST_UINT8 - 24) / 24)  # 24 steps reach the lowest value
RELU = Levels("rows.relu", 0)
BEHIND = {"FastGelu": GELU, "Gelu": GELU, "BiasGelu": GELU, "Relu": RELU}


def choose_levels(x: ir.Value) -> Levels:
    """The levels for what a value's operator gives; a GELU in standard operators goes by the name of its last one."""
    node = x.producer()
    if node is None:
        return SIGNED
    return GELU if str(node.name).endswith(".gelu") else BEHIND.get(node.op_type, SIGNED)


def refer_zero_point(builder: Builder, levels: Levels) -> ir.Value:
    """The uint8 that is 0, ()."""
    return builder.constant(f"{levels.name}.zero_point", np.array(levels.zero_point, np.uint8))


def write_rows(builder: Builder, name: str, x: ir.Value, levels: Levels) -> tuple[ir.Value, ir.Value]:
    """Write the nodes `{name}.*`; give x (B, S, K) as uint8 and the magnitude (B, S, 1) of each row.

    One operator quantizes all rows, since each is divided by its magnitude first.
    """
    sizes = builder.op(f"{name}.sizes", "Abs", [x]) if levels.signed else x  # (B, S, K)
    largest = builder.op(f"{name}.largest", "ReduceMax", [sizes], {"axes": [-1], "keepdims": 1})  # (B, S, 1)
    least = builder.floats(f"{levels.name}.least", levels.least)
    magnitude = builder.op(f"{name}.magnitude", "Max", [largest, least])  # (B, S, 1)
    parts = builder.op(f"{name}.parts", "Div", [x, magnitude])  # (B, S, K), at most 1
    step = builder.floats(f"{levels.name}.level", 1 / levels.count)
    integers = builder.op(f"{name}.integers", "QuantizeLinear", [parts, step, refer_zero_point(builder, levels)])
    return integers, magnitude
