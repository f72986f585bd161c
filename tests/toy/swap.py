"""A toy stage that exchanges its source's folder for another, reads, and puts it back."""

import os
from pathlib import Path
from typing import Any

from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


def exchange(above: Path) -> None:
    """Let the two folders change places."""
    (above / "one").rename(above / "aside")
    (above / "other").rename(above / "one")
    (above / "aside").rename(above / "other")


def run(inputs: Inputs, section: Any, target: Target, out: Path) -> Metrics:
    exchange(Path(section.above))
    (out / "text").write_text((inputs["checkpoint"] / "a").read_text())
    exchange(Path(section.above))
    return {"environment": sorted(os.environ)}


STAGE = Stage(
    name="swap",
    section="swapping",
    target=(),
    reads=("checkpoint",),
    writes="text",
    tools=(),
    version=1,
    run=run,
)
