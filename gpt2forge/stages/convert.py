"""convert: read a checkpoint of any format, write one float32 safetensors file with config and tokenizer."""

from pathlib import Path

from gpt2forge.stages.stage import Inputs, Metrics, Section, Stage, Target


class SourceSection(Section):
    """`source:`, the path of the checkpoint. Keys cover the content of the checkpoint, not its path."""

    checkpoint: str


def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    """Write `model.safetensors` and the other files that transformers needs to load it.

    Raises UserError if the checkpoint is incomplete, damaged, or not a supported GPT-2.
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
