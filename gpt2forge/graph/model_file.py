"""Reads and writes `model.onnx`, a graph without its weights."""

from pathlib import Path

import onnx
import onnx_ir as ir

GRAPH_FILE = "model.onnx"
DRAFT_FILE = "model.onnx_graph"
"""The graph of a draft, inside the package of another model. Hosts look for `*.onnx` in all folders."""
PASSES_APPLIED = "gpt2forge.passes"
"""The metadata key of the names of the passes that were applied, separated by commas."""


def read_graph(folder: Path, file: str = GRAPH_FILE) -> ir.Model:
    """Read `folder/model.onnx`, or another file there, without its weights."""
    return ir.from_proto(onnx.load(folder / file, load_external_data=False))


def write_graph(model: ir.Model, folder: Path) -> None:
    """Write `folder/model.onnx`, with the same bytes for the same graph.

    The shapes of inner values are left out: runtimes infer them, and rewrites need not keep them correct.
    """
    proto = ir.to_proto(model)
    del proto.graph.value_info[:]
    (folder / GRAPH_FILE).write_bytes(proto.SerializeToString(deterministic=True))
