"""The first toy stage: reads the source."""

from pathlib import Path

from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    text = "".join(path.read_text() for path in sorted(inputs["checkpoint"].iterdir()))
    (out / "text").write_text(text.strip())
    return {}


STAGE = Stage("gather", None, (), ("checkpoint",), "text", ("numpy",), 1, run)
