"""fuse: rewrites the graph with ONNX Runtime's fused operators, one pass for each key of `fusion:`."""

from pathlib import Path

from pydantic import Field

from gpt2forge.stages.stage import Inputs, Metrics, Section, Stage, Target


class Fusion(Section):
    """The passes over the graph; each can be turned off on its own."""

    attention: bool = Field(
        default=True, description="fuse attention into GroupQueryAttention, whose KV cache is extended in place"
    )
    skip_layer_norm: bool = Field(
        default=False,
        description="fuse a residual and the normalization behind it: fewer nodes, but prompts take longer",
    )
    gelu: bool = Field(default=True, description="fuse the activation into FastGelu or Gelu if it is one of them")
    bias: bool = Field(default=True, description="move biases into the operators that take one")


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
