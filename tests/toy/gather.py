"""The first toy stage: reads the source."""

from pathlib import Path

from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    text = "".join(path.read_text() for path in sorted(inputs["checkpoint"].iterdir()))
    (out / "text").write_text(text.strip())
    return {}


STAGE = Stage(
    name="gather",
    section=None,
    target=(),
    reads=("checkpoint",),
    writes="text",
    tools=("numpy",),
    version=1,
    run=run,
)
