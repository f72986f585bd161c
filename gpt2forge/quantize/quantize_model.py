"""Quantizes a whole model into the two files of a package, `model.onnx` and `model.onnx_data`."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from gpt2forge.errors import UserError
from gpt2forge.graph.builder import MICROSOFT
from gpt2forge.graph.edit import index_nodes
from gpt2forge.graph.model_file import PASSES_APPLIED, write_graph
from gpt2forge.quantize.coverage import CoverageRow
from gpt2forge.quantize.data_file import DataFile, Layout, find_weights, refer
from gpt2forge.quantize.embeddings import POSITIONS, TABLES, WPE, rewrite_positions, rewrite_table
from gpt2forge.quantize.fit import Fit
from gpt2forge.quantize.float16 import convert_graph
from gpt2forge.quantize.linear import LINEAR, rewrite_linear
from gpt2forge.quantize.scheme import Scheme, find_conflict, find_unmatched
from gpt2forge.quantize.stored_weight import StoredWeight
from gpt2forge.quantize.token_check import check_tokens
from gpt2forge.quantize.writer import WeightWriter

Advance = Callable[[int, int, str], None]
"""Called with (done, total, unit)."""
NO_FIT = Fit()


def quantize_model(
    model: ir.Model,
    weights: Path,
    scheme: Scheme,
    out: Path,
    advance: Advance,
    fit: Fit = NO_FIT,
    threads: int | None = None,
) -> list[CoverageRow]:
    """Write `model.onnx` and `model.onnx_data` under `out`, and return a row for each weight.

    The folder `weights` holds the float32 weights of the model; `fit` changes them as a calibration text suggests.
    The model is changed in place. The files do not depend on the number of threads (default: one per core).
    Raises UserError if a weight is not what the graph says or is not finite, or if a pattern of the scheme does not
    match the layers of the model.
    """
    sources = find_weights(model.graph)
    check_patterns(sources, scheme)
    layout = Layout()
    stored = convert_graph(model.graph, layout) if scheme.is_half else rewrite_graph(model, scheme, layout)
    write_graph(model, out)
    total, done = sum(weight.source.length or 0 for weight in stored), 0

    def tick(size: int) -> None:
        nonlocal done
        done += size
        advance(done, total, "B")

    with DataFile(out, layout.size) as file, ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        writer = WeightWriter(weights, file, pool=pool, tick=tick, sources=sources, fit=fit)
        return [writer.store(weight) for weight in stored]


def check_patterns(names: Iterable[str], scheme: Scheme) -> None:
    """Raise UserError if a pattern matches none of the linear layers, or two patterns match the same layer."""
    linears = [linear[1] for name in names if (linear := LINEAR.fullmatch(name))]
    conflict = find_conflict(linears, scheme.overrides, scheme.skip)
    if conflict:
        raise UserError(f"`quantization`: {conflict}")
    for key, patterns in (("overrides", scheme.overrides), ("skip", scheme.skip)):
        pattern = find_unmatched(linears, patterns)
        if pattern is not None:
            known = f"`{linears[0]}` to `{linears[-1]}`" if linears else "none"
            raise UserError(
                f"`quantization.{key}`: `{pattern}` matches no linear layer of this model, which has {known}"
            )


def rewrite_graph(model: ir.Model, scheme: Scheme, layout: Layout) -> list[StoredWeight]:
    """Rewrite the graph, and return how and where each of its weights is to be stored, in the graph's order."""
    graph = model.graph
    absorb = "bias" in model.metadata_props.get(PASSES_APPLIED, "").split(",")
    nodes, sources = index_nodes(graph), list(find_weights(graph).values())
    stored = [rewrite_reader(graph, nodes, source, scheme, layout, absorb=absorb) for source in sources]
    check_tokens(graph)
    RemoveUnusedNodesPass()(model)
    if any(node.domain == MICROSOFT for node in graph):
        graph.opset_imports.setdefault(MICROSOFT, 1)
    return stored


def rewrite_reader(
    graph: ir.Graph,
    nodes: dict[str, ir.Node],
    source: ir.ExternalTensor,
    scheme: Scheme,
    layout: Layout,
    *,
    absorb: bool,
) -> StoredWeight:
    """Rewrite the nodes that read one weight; `absorb` moves the bias of a linear layer into its product.

    A weight that is not to be quantized, or whose reader is another node than expected, is copied.
    """
    name = source.name or ""
    linear = LINEAR.fullmatch(name)
    node = nodes.get(linear[1]) if linear else None
    storage = scheme.choose(linear[1]) if linear else None
    if storage and linear and node and node.op_type == "MatMul":
        bias_add = nodes.get(f"{linear[1]}.bias_add") if absorb and storage.block else None
        return rewrite_linear(graph, node, source, storage, layout, bias_add=bias_add)
    if scheme.table and name in TABLES:
        return rewrite_table(graph, source, scheme.table, layout)
    if scheme.positions and name == POSITIONS and WPE in nodes:
        return rewrite_positions(graph, nodes[WPE], source, scheme.positions, layout)
    region = layout.reserve(source.length or 0)
    value = graph.initializers[name]
    value.const_value = refer(name, source.dtype, source.shape.numpy(), region).const_value
    return StoredWeight(source=source, storage=None, data=region)
