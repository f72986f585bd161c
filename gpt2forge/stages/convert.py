"""convert: read a checkpoint of any layout and write it as one float32 safetensors file with config and tokenizer."""

from pathlib import Path

from gpt2forge.stages.stage import Inputs, Metrics, Section, Stage, Target


class Source(Section):
    """`source:`, where the checkpoint lies; its path enters no key, its content does."""

    checkpoint: str


def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    """Write `model.safetensors` and the files beside it that transformers needs to load it.

    Raises UserError when the checkpoint is incomplete, damaged, or not a GPT-2 that can be built.
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
