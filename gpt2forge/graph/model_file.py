"""A graph artifact on disk: `model.onnx`, without any weights."""

from pathlib import Path

import onnx
import onnx_ir as ir

GRAPH_FILE = "model.onnx"
PASSES_APPLIED = "gpt2forge.passes"
"""The key in a model's metadata under which the names of its passes stand, with commas between them."""


def read_graph(folder: Path) -> ir.Model:
    """Read `folder/model.onnx`; weights stay where they are."""
    return ir.from_proto(onnx.load(folder / GRAPH_FILE, load_external_data=False))


def write_graph(model: ir.Model, folder: Path) -> None:
    """Write `folder/model.onnx`, the same bytes for the same graph.

    The shapes of values inside are left out: runtimes infer them, and a rewrite need not keep them true.
    """
    proto = ir.to_proto(model)
    del proto.graph.value_info[:]
    (folder / GRAPH_FILE).write_bytes(proto.SerializeToString(deterministic=True))
