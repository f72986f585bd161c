"""fuse: rewrite the graph with ONNX Runtime's fused operators, one pass for each field of `fusion:`."""

from pathlib import Path

from gpt2forge.stages.stage import Inputs, Metrics, Section, Stage, Target


class Fusion(Section):
    """`fusion:`, the passes. Each can be turned off on its own."""

    attention: bool = True
    skip_layer_norm: bool = False  # it makes prompts slower: docs/performance.md
    gelu: bool = True
    bias: bool = True


def run(inputs: Inputs, section: Fusion, target: Target, out: Path) -> Metrics:
    """Write `model.onnx`, the graph after the passes that are turned on.

    Raises UserError if a pass does not apply to this model, GraphError if the graph is not as export writes it.
    """
    from gpt2forge.graph.model_file import read_graph, write_graph
    from gpt2forge.graph.passes.fusion import count_operators, fuse
    from gpt2forge.graph.validate import annotate_shapes, check_graph

    model = read_graph(inputs["graph"])
    annotate_shapes(model)
    fuse(model, [name for name, is_on in section.model_dump().items() if is_on])
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
