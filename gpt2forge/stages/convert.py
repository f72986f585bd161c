"""convert: reads a checkpoint of any format and writes one float32 safetensors file, its config and its tokenizer."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import Field

from gpt2forge.checkpoint.format import Wanted
from gpt2forge.stages.stage import Inputs, Metrics, Section, Stage, Target

NONE = "none"
NAMED = re.compile(r".+\.(gguf|index|meta|data-\d{5}-of-\d{5})|model\.ckpt(-\d+)?|model-\d+", re.ASCII)
"""The names of files that choose one of several, and of the prefixes that TensorFlow 1 gives to saves."""


class SourceSection(Section):
    """The checkpoint to start from. Its content is part of the keys, its path is not."""

    checkpoint: str = Field(
        description="the folder of the checkpoint; the path starts at the working directory; or an address that "
        "`build` fetches: `hf://owner/name@revision` or `openai://124M`"
    )
    step: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="the training step of a run that saved several; the newest unless given"
    )
    adapter: str | None = Field(
        default=None, description="a folder of LoRA weights that peft saved, which are merged into the checkpoint's"
    )

    tokenizer: str | None = Field(
        default=None,
        description="a folder with another tokenizer, or a tokenizer.json; `none`: texts are ids with spaces between",
    )

    special_tokens: Literal["token", "text"] | None = Field(
        default=None,
        description="how texts are read that hold `<|endoftext|>` and the like: as one token, or as ordinary text, as "
        "the trainers of gpt-2-simple did; of such a run the way is measured unless given",
    )

    @property
    def own_tokenizer(self) -> bool:
        """Return whether the tokenizer is the checkpoint's own."""
        return self.tokenizer is None

    @property
    def file(self) -> str | None:
        """The name of the file, or of the TensorFlow save, that the path names; it chooses one of several."""
        name = self.checkpoint.rpartition("/")[2]
        return name if NAMED.fullmatch(name) else None

    @property
    def wanted(self) -> Wanted:
        """The choice within the checkpoint."""
        return Wanted(
            self.step, self.own_tokenizer, self.special_tokens, adapter=self.adapter is not None, file=self.file
        )


class Choice(Protocol):
    """The fields of the section that decide what is read."""

    @property
    def step(self) -> int | None: ...

    @property
    def own_tokenizer(self) -> bool: ...

    @property
    def special_tokens(self) -> Literal["token", "text"] | None: ...

    @property
    def file(self) -> str | None: ...


def run(inputs: Inputs, section: Choice, target: Target, out: Path) -> Metrics:
    """Write `model.safetensors` and the other files that transformers needs to load it.

    Raises UserError if the checkpoint is incomplete, damaged, or not a GPT-2 that can be built.
    """
    # Set before numpy is loaded. The products that merge an adapter would depend on the number of OpenBLAS's threads.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"

    from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint

    converted = convert_checkpoint(
        inputs["checkpoint"],
        out,
        lambda done, total: inputs.advance(done, total, "B"),
        wanted=Wanted(
            section.step,
            section.own_tokenizer,
            section.special_tokens,
            adapter="adapter" in inputs.paths,
            file=section.file,
        ),
        other=inputs.paths.get("tokenizer"),
        adapter=inputs.paths.get("adapter"),
    )
    inputs.vouch(converted.written)
    return {**converted.numbers, **({"notes": list(converted.notes)} if converted.notes else {})}


def list_more(section: SourceSection) -> tuple[str, ...]:
    """List the other inputs of a conversion."""
    named = {"tokenizer": section.tokenizer not in (None, NONE), "adapter": section.adapter is not None}
    return tuple(kind for kind, is_named in named.items() if is_named)


STAGE = Stage(
    name="convert",
    section="source",
    fields=("step", "own_tokenizer", "special_tokens", "file"),
    target=(),
    reads=("checkpoint",),
    also_reads=list_more,
    writes="weights",
    # torch, which opens files of PyTorch, is none: it says where the bytes of a tensor lie, and decides no value.
    tools=("tokenizers",),
    version=1,
    run=run,
    by_processor=lambda section: section.adapter is not None,  # products of matrices
    guess=lambda section, read: read,
    libraries=500 << 20,
    holds=0.1,
)
