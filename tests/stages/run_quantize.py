"""Runs `quantize` with a section as its worker does: with the values that the key covers."""

from pathlib import Path
from typing import Any

from gpt2forge.recipe.sections.quantization_section import Quantization
from gpt2forge.stages.quantize import STAGE
from gpt2forge.stages.stage import Inputs, Metrics, Target
from gpt2forge.stages.worker import view_section


def run_quantize(inputs: Inputs, section: Quantization, target: Target, out: Path) -> Metrics:
    return STAGE.run(inputs, see(section), target, out)


def see(section: Quantization) -> Any:
    """Return a section as a worker sees it."""
    return view_section(STAGE, section.normalize().model_dump(mode="json"))
