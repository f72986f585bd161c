"""Writes the products of activations with integer weights: in blocks, or with one scale for each output channel.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulIntegerToFloat
"""

from dataclasses import dataclass

import onnx_ir as ir

from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.quantize.activations import Levels, refer_zero_point, write_rows
from gpt2forge.quantize.blocks import count_blocks
from gpt2forge.quantize.data_file import Layout, Region, refer

INT8_ARITHMETIC = 4  # accuracy_level: the activations become int8 too, with a scale for each block of each row


@dataclass(frozen=True)
class BlockMatrix:
    """A weight (length, columns) in blocks along its length, and its regions in `model.onnx_data`."""

    name: str
    length: int
    columns: int
    bits: int
    block: int
    data: Region
    scales: Region

    @property
    def blocks(self) -> int:
        """Return the number of blocks in a column."""
        return count_blocks(self.length, self.block)

    @property
    def bytes_per_block(self) -> int:
        return self.block * self.bits // 8


def reserve_blocks(layout: Layout, name: str, length: int, columns: int, bits: int, block: int) -> BlockMatrix:
    """Reserve regions for a weight (length, columns)."""
    count = columns * count_blocks(length, block)
    data, scales = layout.reserve(count * block * bits // 8), layout.reserve(4 * count)
    return BlockMatrix(name, length, columns, bits=bits, block=block, data=data, scales=scales)


def refer_blocks(builder: Builder, matrix: BlockMatrix) -> ir.Value:
    """Return the weight as MatMulNBits reads it, (columns, blocks, bytes_per_block)."""
    shape = (matrix.columns, matrix.blocks, matrix.bytes_per_block)
    value = refer(f"{matrix.name}.blocks", ir.DataType.UINT8, shape, matrix.data)
    return builder.initializers.setdefault(f"{matrix.name}.blocks", value)


def refer_scales(builder: Builder, matrix: BlockMatrix) -> ir.Value:
    """Return the scales of the weight, (columns, blocks)."""
    value = refer(f"{matrix.name}.scales", ir.DataType.FLOAT, (matrix.columns, matrix.blocks), matrix.scales)
    return builder.initializers.setdefault(f"{matrix.name}.scales", value)


def write_block_matmul(
    builder: Builder,
    name: str,
    x: ir.Value,
    matrix: BlockMatrix,
    *,
    bias: ir.Value | None = None,
    output: str | None = None,
) -> ir.Value:
    """Write a MatMulNBits, (..., length) to (..., columns); the default name of its output is the node's."""
    inputs = [x, refer_blocks(builder, matrix), refer_scales(builder, matrix)]
    attributes = {
        "K": matrix.length,
        "N": matrix.columns,
        "bits": matrix.bits,
        "block_size": matrix.block,
        "accuracy_level": INT8_ARITHMETIC,
    }
    extra = [None, None, bias] if bias is not None else []  # the default zero point, 2^(bits-1), and no group order
    outputs = [output or name]
    return builder.node(name, "MatMulNBits", [*inputs, *extra], attributes, outputs=outputs, domain=MICROSOFT)[0]


def write_integer_matmul(
    builder: Builder, name: str, x: ir.Value, levels: Levels, steps: ir.Value, factors: ir.Value
) -> ir.Value:
    """Write the product of x (B, S, K) with int8 `steps` (K, N), whose scales are `levels.count` * `factors` (N,).

    Each row of x has its own scale: its magnitude, as `factors` already contain the number of steps.
    """
    integers, magnitude = write_rows(builder, f"{name}.rows", x, levels)  # (B, S, K), (B, S, 1)
    inputs = [integers, steps, magnitude, factors, refer_zero_point(builder, levels)]
    return builder.node(name, "MatMulIntegerToFloat", inputs, domain=MICROSOFT)[0]  # (B, S, N)
