"""Writes MatMulNBits, a matrix product with a weight in blocks of integers.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
"""

from dataclasses import dataclass

import onnx_ir as ir

from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.quantize.blocks import count_blocks
from gpt2forge.quantize.data_file import Layout, Region, refer

INT8_ARITHMETIC = 4  # accuracy_level: the activations become int8 too, with a scale for each block of each row


@dataclass(frozen=True)
class BlockMatrix:
    """A weight (length, columns) in blocks along its length, and where `model.onnx_data` holds it."""

    name: str
    length: int
    columns: int
    bits: int
    block: int
    data: Region
    scales: Region

    @property
    def blocks(self) -> int:
        return count_blocks(self.length, self.block)

    @property
    def bytes_of_block(self) -> int:
        return self.block * self.bits // 8


def reserve_blocks(layout: Layout, name: str, length: int, columns: int, bits: int, block: int) -> BlockMatrix:
    """Find room for a weight (length, columns)."""
    count = columns * count_blocks(length, block)
    data, scales = layout.reserve(count * block * bits // 8), layout.reserve(4 * count)
    return BlockMatrix(name, length, columns, bits, block, data, scales)


def refer_blocks(builder: Builder, matrix: BlockMatrix) -> ir.Value:
    """The weight as MatMulNBits reads it: (columns, blocks, bytes of a block)."""
    shape = (matrix.columns, matrix.blocks, matrix.bytes_of_block)
    value = refer(f"{matrix.name}.blocks", ir.DataType.UINT8, shape, matrix.data)
    return builder.initializers.setdefault(f"{matrix.name}.blocks", value)


def refer_scales(builder: Builder, matrix: BlockMatrix) -> ir.Value:
    """Its scales: (columns, blocks)."""
    value = refer(f"{matrix.name}.scales", ir.DataType.FLOAT, (matrix.columns, matrix.blocks), matrix.scales)
    return builder.initializers.setdefault(f"{matrix.name}.scales", value)


def write_matmul(builder: Builder, name: str, x: ir.Value, matrix: BlockMatrix, bias: ir.Value | None) -> ir.Value:
    """(..., length) to (..., columns)."""
    inputs = [x, refer_blocks(builder, matrix), refer_scales(builder, matrix)]
    attributes = {
        "K": matrix.length,
        "N": matrix.columns,
        "bits": matrix.bits,
        "block_size": matrix.block,
        "accuracy_level": INT8_ARITHMETIC,
    }
    extra = [None, None, bias] if bias is not None else []  # no zero points: 2^(bits-1); no order of groups
    return builder.node(name, "MatMulNBits", [*inputs, *extra], attributes, domain=MICROSOFT)[0]
