"""A toy stage that makes another package of one, and of that of a draft."""

from pathlib import Path

from gpt2forge.stages.stage import DRAFT, PACKAGE, Inputs, Metrics, Stage, Target


def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    texts = [(inputs[kind] / "model.onnx").read_text() for kind in (PACKAGE, DRAFT)]
    (out / "model.onnx").write_text("+".join(texts))
    return {}


STAGE = Stage(
    name="adopt",
    section=None,
    target=(),
    reads=(PACKAGE, DRAFT),
    writes=PACKAGE,
    tools=(),
    version=1,
    run=run,
)
