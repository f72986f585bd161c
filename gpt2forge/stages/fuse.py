"""fuse: rewrites the graph with ONNX Runtime's fused operators, one pass for each key of `fusion:`."""

from pathlib import Path
from typing import Any

from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


def run(inputs: Inputs, section: Any, target: Target, out: Path) -> Metrics:
    """Write `model.onnx`, the graph after the passes that are turned on.

    Raises UserError if a pass does not apply to this model, GraphError if the graph is not as export writes it.
    """
    from gpt2forge.graph.model_file import read_graph, write_graph
    from gpt2forge.graph.passes.fusion import count_operators, fuse
    from gpt2forge.graph.validate import annotate_shapes, check_graph

    model = read_graph(inputs["graph"])
    annotate_shapes(model)
    fuse(model, [name for name, is_on in vars(section).items() if is_on])
    check_graph(model)
    write_graph(model, out)
    return {"nodes": model.graph.num_nodes(), "operators": count_operators(model)}


STAGE = Stage(
    name="fuse",
    section="fusion",
    target=(),
    reads=("graph",),
    writes="graph",
    tools=("onnx", "onnx-ir"),
    version=1,
    run=run,
    holds=0.0,
)
