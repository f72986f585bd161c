"""benchmark: measure speed and memory of the package on this machine, and of PyTorch in float32 in the same run."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gpt2forge.stages.stage import PACKAGE, Inputs, Metrics, Section, Stage, Target

Count = Annotated[int, Field(ge=1)]


class Benchmark(Section):
    """The work of each system in a round, and the number of rounds."""

    prompt_tokens: Count = Field(default=64, description="length of the prompt in tokens")
    new_tokens: Annotated[int, Field(ge=2)] = Field(
        default=64, description="how many tokens to generate after the prompt"
    )
    rounds: Annotated[int, Field(ge=3)] = Field(default=5, description="how often each system is measured")


def run(inputs: Inputs, section: Benchmark, target: Target, out: Path) -> Metrics:
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
