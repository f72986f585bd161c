"""convert: reads a checkpoint of any format and writes one float32 safetensors file, its config and its tokenizer."""

import os
from pathlib import Path
from typing import Literal, Protocol

from gpt2forge.checkpoint.format import Wanted
from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target

NONE = "none"


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


class Named(Protocol):
    """The fields of the section that name other inputs."""

    @property
    def tokenizer(self) -> str | None: ...

    @property
    def adapter(self) -> str | None: ...


def list_more(section: Named) -> tuple[str, ...]:
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
