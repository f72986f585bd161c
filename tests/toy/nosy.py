"""A toy stage that reads what it does not declare."""

from pathlib import Path

from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    (out / "text").write_text(target.device)
    return {}


STAGE = Stage(
    name="nosy",
    section=None,
    target=(),
    reads=("text",),
    writes="text",
    tools=(),
    version=1,
    run=run,
)
