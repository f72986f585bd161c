"""Applies passes to a graph, and leaves nothing that they made useless."""

from collections import Counter
from collections.abc import Collection

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from gpt2forge.graph.builder import MICROSOFT
from gpt2forge.graph.model_file import PASSES_APPLIED
from gpt2forge.graph.passes import PASSES
from gpt2forge.graph.passes.pattern import GraphError


def fuse(model: ir.Model, names: Collection[str]) -> None:
    """Apply the passes of these names in place, in the order of PASSES.

    Raises GraphError when one cannot rewrite what it finds, UserError when it must not be used for this model.
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
    """How many nodes of each operator a model has, by operator."""
    return dict(sorted(Counter(node.op_type for node in model.graph).items()))
