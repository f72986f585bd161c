"""benchmark: measure speed and memory of the package on this machine, and of PyTorch in float32 in the same run."""

import json
from pathlib import Path
from typing import Protocol

from gpt2forge.stages.stage import PACKAGE, Inputs, Metrics, Stage, Target


class Work(Protocol):
    """The work of each system in a round, and the number of rounds."""

    @property
    def prompt_tokens(self) -> int: ...

    @property
    def new_tokens(self) -> int: ...

    @property
    def rounds(self) -> int: ...


def run(inputs: Inputs, section: Work, target: Target, out: Path) -> Metrics:
    """Write `benchmark.json`: times with their spread, memory, and the share of the limit set by memory bandwidth."""
    from gpt2forge.measure.speed import measure

    found = measure(
        inputs[PACKAGE],
        inputs["weights"],
        prompt_tokens=section.prompt_tokens,
        new_tokens=section.new_tokens,
        rounds=section.rounds,
        advance=inputs.advance,
    )
    (out / "benchmark.json").write_text(json.dumps(found, indent=1) + "\n")
    return {"benchmark": found}


STAGE = Stage(
    name="benchmark",
    section="benchmark",
    target=(),
    reads=(PACKAGE, "weights"),
    writes="speed",
    tools=("numpy", "onnxruntime", "psutil", "torch", "transformers"),
    version=1,
    run=run,
    optional=True,
    on_host=True,
    alone=True,
    libraries=1200 << 20,
)
