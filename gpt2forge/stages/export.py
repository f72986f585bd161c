"""export: write the GPT-2 graph in standard ONNX operators. It refers to the weights and copies none."""

from pathlib import Path

from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    """Write `model.onnx` for the model in `weights`. Its external data is that folder's `model.safetensors`.

    Raises UserError if a weight is missing or contradicts config.json.
    """
    from gpt2forge.checkpoint.config import read_config
    from gpt2forge.checkpoint.safetensors import read_header
    from gpt2forge.graph.gpt2 import build_graph
    from gpt2forge.graph.model_file import write_graph
    from gpt2forge.graph.weight_refs import WEIGHTS_FILE

    weights = inputs["weights"]
    model = build_graph(read_config(weights), read_header(weights / WEIGHTS_FILE))
    write_graph(model, out)
    return {"nodes": model.graph.num_nodes()}


STAGE = Stage(
    name="export",
    section=None,
    target=(),
    reads=("weights",),
    writes="graph",
    tools=("onnx", "onnx-ir"),
    version=1,
    run=run,
    holds=0.0,
)
