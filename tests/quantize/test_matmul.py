"""Tests that our MatMulNBits computes the product with the dequantized weights."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

from gpt2forge.graph.builder import MICROSOFT, Builder
from gpt2forge.graph.model_file import write_graph
from gpt2forge.quantize.blocks import dequantize_blocks, quantize_blocks
from gpt2forge.quantize.data_file import DataFile, Layout
from gpt2forge.quantize.matmul import reserve_blocks, write_block_matmul
from gpt2forge.quantize.scratch import Scratch
from tests.graph.models import distance


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("length", "block"), [(64, 16), (64, 64), (20, 16), (36, 32), (160, 128)])
@pytest.mark.parametrize("rows", [1, 5])
def test_product_is_that_of_the_dequantized_weights(
    tmp_path: Path, bits: int, length: int, block: int, rows: int
) -> None:
    rng = np.random.default_rng(0)
    weight, x = (
        rng.standard_normal((length, 24)).astype(np.float32),
        rng.standard_normal((rows, length)).astype(np.float32),
    )
    blocks = quantize_blocks(weight, bits, block, Scratch())
    bias = rng.standard_normal(24).astype(np.float32)
    layout, builder = Layout(), Builder()
    matrix = reserve_blocks(layout, "weight", length, 24, bits, block)
    source = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(("rows", length)))
    result = write_block_matmul(builder, "y", source, matrix, bias=builder.constant("bias", bias))
    result.type, result.shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape(("rows", 24))
    graph = ir.Graph(
        [source],
        [result],
        nodes=builder.nodes,
        initializers=list(builder.initializers.values()),
        opset_imports={"": 17, MICROSOFT: 1},
        name="product",
    )
    write_graph(ir.Model(graph, ir_version=8), tmp_path)
    with DataFile(tmp_path, layout.size) as file:
        file.write(matrix.data, 0, blocks.data)
        file.write(matrix.scales, 0, blocks.scales)
    (product,) = ort.InferenceSession(tmp_path / "model.onnx").run(None, {"x": x})
    expected = x @ dequantize_blocks(blocks.data, blocks.scales, bits)[:, :length].T + bias
    assert distance(product, expected) < 0.01  # the activations have 8 bits
