"""Converts a checkpoint of any format to the one folder that all later steps read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.adapter.merge_adapter import merge_adapter
from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import DEFAULT, Checkpoint, Format, Wanted
from gpt2forge.checkpoint.formats import FORMATS
from gpt2forge.checkpoint.model_folder import WEIGHTS, ReportBytes, write_config, write_weights
from gpt2forge.checkpoint.names import HEAD, PREFIX
from gpt2forge.checkpoint.read_tensors import hold_same_values
from gpt2forge.checkpoint.tokenizer import write_tokenizer
from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.checkpoint.vocabulary import Vocabulary
from gpt2forge.digest import Written
from gpt2forge.errors import UserError

GENERATION_CONFIG = "generation_config.json"
WITHOUT_EFFECT = ("transformers_version", "_from_model_config")


@dataclass(frozen=True)
class Converted:
    """The result of a conversion: its numbers, what a user should know, and the large file that it wrote, by name."""

    numbers: dict[str, int]
    notes: tuple[str, ...]
    written: dict[str, Written]


def convert_checkpoint(
    source: Path,
    out: Path,
    report: ReportBytes = lambda done, total: None,
    *,
    formats: Sequence[Format] = FORMATS,
    wanted: Wanted = DEFAULT,
    adapter: Path | None = None,
) -> Converted:
    """Write the checkpoint at `source` to `out` as float32 model.safetensors with config and tokenizer.

    `adapter` is a folder of LoRA weights to merge. Raises UserError if the checkpoint is incomplete, damaged, or not a
    supported GPT-2, or if the adapter does not fit it.
    """
    checkpoint = find_checkpoint(source, formats, wanted)
    vocabulary, contents = read_checkpoint(checkpoint, adapter)
    contents = resolve_head(contents)
    write_config(contents.config, read_generation(checkpoint), out)
    write_tokenizer(vocabulary, contents.config.n_positions, out)
    written = write_weights(contents.tensors, out, report)
    values = sum(tensor.count for tensor in contents.tensors)
    numbers = {"tensors": len(contents.tensors), "parameters": values, "context": contents.config.n_positions}
    return Converted(numbers, (*checkpoint.notes, *contents.notes), {WEIGHTS: written})


def read_checkpoint(checkpoint: Checkpoint, adapter: Path | None = None) -> tuple[Vocabulary, Contents]:
    """Read everything in a checkpoint except the weights. Raises UserError if its files contradict each other."""
    vocabulary = checkpoint.format.read_vocabulary(checkpoint)
    contents = checkpoint.format.read_contents(checkpoint, vocabulary)
    if adapter is not None:
        contents = merge_adapter(contents, adapter)
    if vocabulary.size > contents.config.vocab_size:
        raise UserError(
            f"{checkpoint.folder}: the tokenizer has ids up to {vocabulary.size - 1}, but the model only "
            f"{contents.config.vocab_size} tokens; is it the one of this checkpoint?"
        )
    return vocabulary, contents


def resolve_head(contents: Contents) -> Contents:
    """Decide by the weights whether the LM head is tied, and drop a head that only repeats the token embedding."""
    named = {tensor.name: tensor for tensor in contents.tensors}
    tied = HEAD not in named or hold_same_values(named[HEAD], named[f"{PREFIX}wte.weight"])
    kept = tuple(tensor for tensor in contents.tensors if not (tied and tensor.name == HEAD))
    return replace(contents, config=replace(contents.config, tied=tied), tensors=kept)


def read_generation(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the checkpoint's settings for generating text, without those that name what wrote them."""
    if GENERATION_CONFIG not in checkpoint.files:
        return {}
    values = read_object(checkpoint.folder / GENERATION_CONFIG)
    return {key: value for key, value in values.items() if key not in WITHOUT_EFFECT}
