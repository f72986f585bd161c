"""The last toy stage: makes the package."""

import time
from pathlib import Path
from typing import Any

from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


def run(inputs: Inputs, section: Any, target: Target, out: Path) -> Metrics:
    assert target.device == "cpu"
    text = (inputs["text"] / "text").read_text()
    if section.upper:
        block = b"x" * (64 << 20)  # enough memory to be measured
        time.sleep(0.2)
        del block
    (out / "model.onnx").write_text(text.upper() if section.upper else text)
    return {"bytes": {"package": len(text), "float32": 4 * len(text)}}


STAGE = Stage(
    name="pack",
    section="packing",
    target=("device",),
    reads=("text",),
    writes="package",
    tools=(),
    version=1,
    run=run,
)
