"""Applies passes to a graph and removes nodes that they leave unused."""

from collections import Counter
from collections.abc import Collection

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from gpt2forge.graph.builder import MICROSOFT
from gpt2forge.graph.edit import GraphError
from gpt2forge.graph.model_file import PASSES_APPLIED
from gpt2forge.graph.passes import PASSES


def fuse(model: ir.Model, names: Collection[str]) -> None:
    """Apply the passes of these names in place, in the order of PASSES.

    Raises GraphError if a pass cannot rewrite what it finds, and UserError if a pass does not support this model.
    """
    applied = [name for name in PASSES if name in names]
    for name in applied:
        try:
            PASSES[name](model)
        except GraphError as error:
            raise GraphError(f"the pass `{name}` cannot rewrite this graph: {error}") from error
    RemoveUnusedNodesPass()(model)
    if any(node.domain == MICROSOFT for node in model.graph):
        model.graph.opset_imports[MICROSOFT] = 1
    model.metadata_props[PASSES_APPLIED] = ",".join(applied)


def count_operators(model: ir.Model) -> dict[str, int]:
    """Count the nodes of a model by operator."""
    return dict(sorted(Counter(node.op_type for node in model.graph).items()))
