"""convert: reads a checkpoint of any format and writes one float32 safetensors file, its config and its tokenizer."""

from pathlib import Path

from pydantic import Field

from gpt2forge.stages.stage import Inputs, Metrics, Section, Stage, Target


class SourceSection(Section):
    """The checkpoint to start from. Its content is part of the keys, its path is not."""

    checkpoint: str = Field(description="the folder of the checkpoint; the path starts at the working directory")


def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    """Write `model.safetensors` and the other files that transformers needs to load it.

    Raises UserError if the checkpoint is incomplete, damaged, or not a GPT-2 that can be built.
    """
    from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint

    converted = convert_checkpoint(inputs["checkpoint"], out, lambda done, total: inputs.advance(done, total, "B"))
    inputs.vouch(converted.written)
    return converted.numbers


STAGE = Stage(
    name="convert",
    section=None,
    target=(),
    reads=("checkpoint",),
    writes="weights",
    tools=("tokenizers",),
    version=1,
    run=run,
    guess=lambda section, read: read,
    holds=0.1,
)
