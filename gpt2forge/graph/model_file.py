"""Reads and writes `model.onnx`, a graph without its weights."""

from pathlib import Path

import onnx
import onnx_ir as ir

GRAPH_FILE = "model.onnx"
PASSES_APPLIED = "gpt2forge.passes"
"""The metadata key of the names of the passes that were applied, separated by commas."""


def read_graph(folder: Path) -> ir.Model:
    """Read `folder/model.onnx` without its weights."""
    return ir.from_proto(onnx.load(folder / GRAPH_FILE, load_external_data=False))


def write_graph(model: ir.Model, folder: Path) -> None:
    """Write `folder/model.onnx`, with the same bytes for the same graph.

    The shapes of inner values are left out: runtimes infer them, and rewrites need not keep them correct.
    """
    proto = ir.to_proto(model)
    del proto.graph.value_info[:]
    (folder / GRAPH_FILE).write_bytes(proto.SerializeToString(deterministic=True))
