"""convert: reads a checkpoint of any format and writes one float32 safetensors file, its config and its tokenizer."""

from pathlib import Path
from typing import Annotated, Protocol

from pydantic import Field

from gpt2forge.checkpoint.format import Wanted
from gpt2forge.stages.stage import Inputs, Metrics, Section, Stage, Target


class SourceSection(Section):
    """The checkpoint to start from. Its content is part of the keys, its path is not."""

    checkpoint: str = Field(
        description="the folder of the checkpoint; the path starts at the working directory; or an address that "
        "`build` fetches: `hf://owner/name@revision` or `openai://124M`"
    )
    step: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="the training step of a run that saved several; the newest unless given"
    )

    @property
    def wanted(self) -> Wanted:
        """The choice within the checkpoint."""
        return Wanted(step=self.step)


class Choice(Protocol):
    """The fields of the section that decide what is read."""

    @property
    def step(self) -> int | None: ...


def run(inputs: Inputs, section: Choice, target: Target, out: Path) -> Metrics:
    """Write `model.safetensors` and the other files that transformers needs to load it.

    Raises UserError if the checkpoint is incomplete, damaged, or not a GPT-2 that can be built.
    """
    from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint

    wanted = Wanted(step=section.step)
    converted = convert_checkpoint(
        inputs["checkpoint"], out, lambda done, total: inputs.advance(done, total, "B"), wanted=wanted
    )
    inputs.vouch(converted.written)
    return {**converted.numbers, **({"notes": list(converted.notes)} if converted.notes else {})}


STAGE = Stage(
    name="convert",
    section="source",
    fields=("step",),
    target=(),
    reads=("checkpoint",),
    writes="weights",
    tools=("tokenizers",),
    version=1,
    run=run,
    guess=lambda section, read: read,
    holds=0.1,
)
