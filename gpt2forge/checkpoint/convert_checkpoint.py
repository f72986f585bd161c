"""Converts a checkpoint of any format to the one folder that all later steps read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.adapter.merge_adapter import merge_adapter
from gpt2forge.checkpoint.check_tokenizer import check_roles, check_tokenizer
from gpt2forge.checkpoint.choose_tokens import choose_tokens
from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import DEFAULT, Checkpoint, Format, Wanted
from gpt2forge.checkpoint.formats import FORMATS
from gpt2forge.checkpoint.model_folder import WEIGHTS, ReportBytes, write_config, write_weights
from gpt2forge.checkpoint.names import HEAD, PREFIX
from gpt2forge.checkpoint.other_tokenizer import NO_TOKENIZER, make_id_tokenizer, read_other_tokenizer
from gpt2forge.checkpoint.read_tensors import hold_same_values
from gpt2forge.checkpoint.source_texts import open_other, open_source
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.tf1.measure_marker import measure_marker
from gpt2forge.checkpoint.token_ids import ENDLESS
from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.checkpoint.vocabulary import END_OF_TEXT
from gpt2forge.checkpoint.write_tokenizer import write_tokenizer
from gpt2forge.digest import Written
from gpt2forge.errors import UserError

UNMEASURED = (
    f"`{END_OF_TEXT}` in a text is read as one token; the context is too short to measure whether the trainer read it "
    "in pieces: if it did, set `source.special_tokens: text`"
)
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
    other: Path | None = None,
    adapter: Path | None = None,
) -> Converted:
    """Write the checkpoint at `source` to `out` as float32 model.safetensors with config and tokenizer.

    The tokenizer is the one at `other`, unless that is None or `wanted` asks for the checkpoint's own.
    `adapter` is a folder of LoRA weights to merge. Raises UserError if the checkpoint is incomplete, damaged, or not a
    supported GPT-2, or if the adapter does not fit it.
    """
    checkpoint = find_checkpoint(source, formats, wanted)
    tokenizer, contents = read_checkpoint(checkpoint, wanted, other, adapter)
    tokenizer, contents = decide_special(checkpoint, tokenizer, contents, wanted)
    check_conversion(checkpoint, tokenizer, wanted, other)
    contents = resolve_head(contents)
    generation = {**read_generation(checkpoint), **list_stops(tokenizer)}
    write_config(contents.config, generation, out)
    write_tokenizer(tokenizer, contents.config.n_positions, out)
    written = write_weights(contents.tensors, out, report)
    values = sum(tensor.count for tensor in contents.tensors)
    numbers = {"tensors": len(contents.tensors), "parameters": values, "context": contents.config.n_positions}
    return Converted(numbers, (*checkpoint.notes, *contents.notes), {WEIGHTS: written})


def read_checkpoint(
    checkpoint: Checkpoint, wanted: Wanted = DEFAULT, other: Path | None = None, adapter: Path | None = None
) -> tuple[SourceTokenizer, Contents]:
    """Read everything in a checkpoint except the weights. Raises UserError if its files contradict each other."""
    if wanted.own_tokenizer:
        tokenizer = checkpoint.format.read_tokenizer(checkpoint)
    else:
        tokenizer = NO_TOKENIZER if other is None else read_other_tokenizer(other)
    contents = checkpoint.format.read_contents(checkpoint, tokenizer)
    if adapter is not None:
        contents = merge_adapter(contents, adapter)
    contents = choose_tokens(contents, tokenizer)
    if tokenizer is NO_TOKENIZER:
        tokenizer = make_id_tokenizer(contents.config.vocab_size)
    if wanted.special_tokens == "text":
        tokenizer = tokenizer.read_special_as_text()
    if not contents.config.ends:
        contents = replace(contents, notes=(*contents.notes, ENDLESS))
    try:
        notes = tokenizer.list_notes(contents.config.vocab_size)
    except UserError as error:
        raise UserError(f"{checkpoint.folder}: {error}") from error
    return tokenizer, replace(contents, notes=(*contents.notes, *notes))


def decide_special(
    checkpoint: Checkpoint, tokenizer: SourceTokenizer, contents: Contents, wanted: Wanted
) -> tuple[SourceTokenizer, Contents]:
    """Decide by measuring how the trainer of a TensorFlow 1 run read special tokens, unless the recipe says it."""
    is_open = wanted.special_tokens is None and END_OF_TEXT in tokenizer.added
    if not is_open or not is_trained_run(checkpoint, contents):
        return tokenizer, contents
    measured = measure_marker(contents, tokenizer)
    decided = tokenizer.read_special_as_text() if measured and measured.is_text else tokenizer
    return decided, replace(contents, notes=(*contents.notes, measured.describe() if measured else UNMEASURED))


def is_trained_run(checkpoint: Checkpoint, contents: Contents) -> bool:
    """Return whether it is a TensorFlow 1 checkpoint that a trainer wrote; those of OpenAI have no step."""
    return checkpoint.format.name == "tf1" and contents.step is not None


def check_conversion(checkpoint: Checkpoint, tokenizer: SourceTokenizer, wanted: Wanted, other: Path | None) -> None:
    """Raise UserError if the tokenizer is not what its library makes of the files that it was read from."""
    is_other = other is not None and not wanted.own_tokenizer
    place = other if other is not None and is_other else checkpoint.folder
    own = open_other(place, tokenizer, wanted) if is_other else open_source(checkpoint, tokenizer, wanted)
    if own is not None:
        check_tokenizer(own, tokenizer.text, place)
        check_roles(own, tokenizer.roles, place)


def list_stops(tokenizer: SourceTokenizer) -> dict[str, Any]:
    """Return the text at which generating stops, where the end of a text is written in pieces."""
    end = tokenizer.roles.get("eos_token")
    return {"stop_strings": [end]} if end and tokenizer.settings.get("split_special_tokens") else {}


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
