"""Quantizes a whole graph into the two files of a package."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from gpt2forge.errors import UserError
from gpt2forge.graph.builder import MICROSOFT
from gpt2forge.graph.model_file import PASSES_APPLIED, write_graph
from gpt2forge.quantize.coverage import Row
from gpt2forge.quantize.data_file import DataFile, Layout, find_weights, refer
from gpt2forge.quantize.embeddings import POSITIONS, TABLES, WPE, rewrite_positions, rewrite_table
from gpt2forge.quantize.fit import Fit
from gpt2forge.quantize.item import Item
from gpt2forge.quantize.linear import LINEAR, rewrite_linear
from gpt2forge.quantize.narrow_graph import narrow_graph
from gpt2forge.quantize.scheme import Scheme, find_conflict, find_unmatched
from gpt2forge.quantize.writer import Store

Advance = Callable[[int, int, str], None]
"""Called with (done, total, unit)."""
NOTHING = Fit()


def quantize_model(
    model: ir.Model,
    weights: Path,
    scheme: Scheme,
    out: Path,
    advance: Advance,
    fit: Fit = NOTHING,
    threads: int | None = None,
) -> list[Row]:
    """Write `model.onnx` and `model.onnx_data` under `out`; the model's weights lie in the folder `weights`.

    `fit` says what a calibration text changes in the weights. Gives what became of each weight. The files do not depend
    on the number of threads (default: one for each core). Changes `model`. Raises UserError when a weight is not what
    the graph says, or is not finite, and where the scheme's patterns do not fit the model's layers.
    """
    sources = find_weights(model.graph)
    check_patterns(sources, scheme)
    layout = Layout()
    items = narrow_graph(model.graph, layout) if scheme.is_half else plan_items(model, scheme, layout)
    write_graph(model, out)
    total, done = sum(item.weight.length or 0 for item in items), 0

    def tick(size: int) -> None:
        nonlocal done
        done += size
        advance(done, total, "B")

    with DataFile(out, layout.size) as file, ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        store = Store(weights, file, pool, tick, sources, fit)
        return [store(item) for item in items]


def check_patterns(names: Iterable[str], scheme: Scheme) -> None:
    """Raises UserError where a pattern matches none of the linear layers among these weights, or two match the same."""
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


def plan_items(model: ir.Model, scheme: Scheme, layout: Layout) -> list[Item]:
    """Rewrite the graph, and say how each of its weights is to be stored and where, in the graph's order."""
    graph = model.graph
    absorb = "bias" in model.metadata_props.get(PASSES_APPLIED, "").split(",")
    nodes = {node.name: node for node in graph}
    items = [plan_item(graph, nodes, weight, scheme, layout, absorb) for weight in find_weights(graph).values()]
    RemoveUnusedNodesPass()(model)
    if any(node.domain == MICROSOFT for node in graph):
        graph.opset_imports.setdefault(MICROSOFT, 1)
    return items


def plan_item(
    graph: ir.Graph,
    nodes: dict[str | None, ir.Node],
    weight: ir.ExternalTensor,
    scheme: Scheme,
    layout: Layout,
    absorb: bool,
) -> Item:
    """Rewrite what reads one weight; what is not to be quantized, or is not read as expected, is copied."""
    name = weight.name or ""
    linear = LINEAR.fullmatch(name)
    node = nodes.get(linear[1]) if linear else None
    storage = scheme.choose(linear[1]) if linear else None
    if storage and linear and node and node.op_type == "MatMul":
        bias_add = nodes.get(f"{linear[1]}.bias_add") if absorb and storage.block else None
        return rewrite_linear(graph, node, weight, storage, layout, bias_add)
    if scheme.table and name in TABLES:
        return rewrite_table(graph, weight, scheme.table, layout)
    if scheme.positions and name == POSITIONS and WPE in nodes:
        return rewrite_positions(graph, nodes[WPE], weight, scheme.positions, layout)
    region = layout.reserve(weight.length or 0)
    value = graph.initializers[name]
    value.const_value = refer(name, weight.dtype, weight.shape.numpy(), region).const_value
    return Item(weight, None, False, region, None)
