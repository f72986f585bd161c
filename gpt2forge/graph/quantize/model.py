"""Quantizes a whole graph into the two files of a package."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from gpt2forge.graph.builder import MICROSOFT
from gpt2forge.graph.files import PASSES_APPLIED, write_graph
from gpt2forge.graph.package import DataFile, Layout, find_weights, refer
from gpt2forge.graph.quantize.coverage import Row
from gpt2forge.graph.quantize.item import Item
from gpt2forge.graph.quantize.linear import LINEAR, rewrite_linear
from gpt2forge.graph.quantize.scheme import Scheme
from gpt2forge.graph.quantize.store import NOTHING, Statistics, Store
from gpt2forge.graph.quantize.table import TABLES, rewrite_table

Advance = Callable[[int, int, str], None]
"""Called with (done, total, unit)."""


def quantize_model(
    model: ir.Model,
    weights: Path,
    scheme: Scheme,
    out: Path,
    advance: Advance,
    statistics: Statistics = NOTHING,
    threads: int | None = None,
) -> list[Row]:
    """Write `model.onnx` and `model.onnx_data` under `out`; the model's weights lie in the folder `weights`.

    What is known of the layers' inputs, `statistics`, decides how weights in blocks are rounded. Gives what became of
    each weight. The files do not depend on the number of threads (default: one for each core).
    Changes `model`. Raises UserError when a weight is not what the graph says, or is not finite.
    """
    layout = Layout()
    items = plan_items(model, scheme, layout)
    write_graph(model, out)
    total, done = sum(item.weight.length or 0 for item in items), 0

    def tick(size: int) -> None:
        nonlocal done
        done += size
        advance(done, total, "B")

    with DataFile(out, layout.size) as file, ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        store = Store(weights, file, pool, tick, statistics)
        return [store(item) for item in items]


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
    if scheme.linear and linear and node and node.op_type == "MatMul":
        bias_add = nodes.get(f"{linear[1]}.bias_add") if absorb and scheme.linear.block else None
        return rewrite_linear(graph, node, weight, scheme.linear, layout, bias_add)
    if scheme.table and name in TABLES:
        return rewrite_table(graph, weight, scheme.table, layout)
    region = layout.reserve(weight.length or 0)
    value = graph.initializers[name]
    value.const_value = refer(name, weight.dtype, weight.shape.numpy(), region).const_value
    return Item(weight, None, False, region, None)
