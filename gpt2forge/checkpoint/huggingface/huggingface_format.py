"""The format that transformers' `save_pretrained` writes: config.json, weights and a tokenizer."""

from pathlib import Path

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint, Format, Wanted
from gpt2forge.checkpoint.huggingface.huggingface_tokenizer import list_tokenizer_names, read_huggingface_tokenizer
from gpt2forge.checkpoint.huggingface.read_huggingface import read_huggingface
from gpt2forge.checkpoint.huggingface.sentencepiece_tokenizer import SENTENCEPIECE
from gpt2forge.checkpoint.huggingface.tokenizer_kinds import KINDS
from gpt2forge.checkpoint.huggingface.weight_files import find_weights
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.weight_names import hold_only_others
from gpt2forge.errors import UserError

CONFIGS = ("config.json", "generation_config.json")
ADAPTER = "adapter_config.json"


def holds_huggingface(names: set[str]) -> bool:
    """Return whether one of these file names marks a Hugging Face directory."""
    return ("config.json" in names or ADAPTER in names) and not hold_only_others(names)


def find_huggingface(folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    """Find the files of a directory that transformers' `save_pretrained` wrote."""
    refuse_adapter(folder, names, wanted)
    indexes, weights = find_weights(folder, names)
    if wanted.own_tokenizer and not holds_tokenizer(names):
        raise UserError(f"{folder}: no tokenizer; put `tokenizer.json`, or `vocab.json` and `merges.txt`, there")
    files = (*list_texts(names, wanted), *indexes, *weights)
    return Checkpoint(folder, HUGGINGFACE, files=tuple(sorted(files)), weights=weights)


def list_texts(names: set[str], wanted: Wanted) -> set[str]:
    """Return the names of the files of the configuration, and of the tokenizer if it is wanted."""
    return names.intersection(CONFIGS) | (list_tokenizer_names(names) if wanted.own_tokenizer else set())


def holds_tokenizer(names: set[str]) -> bool:
    """Return whether files of these names hold a tokenizer."""
    is_one = "tokenizer.json" in names or not names.isdisjoint(SENTENCEPIECE)
    return is_one or any(names >= set(kind.files) for kind in KINDS)


def refuse_adapter(folder: Path, names: set[str], wanted: Wanted) -> None:
    """Raise UserError if the folder holds only an adapter, or one beside the weights that would not be merged."""
    has_model = "config.json" in names
    if not has_model or (ADAPTER in names and not wanted.adapter):
        what = "an adapter beside the weights" if has_model else "only an adapter, not the model"
        model = "" if has_model else "the model in `source.checkpoint` and "
        raise UserError(
            f"{folder}: `{ADAPTER}` shows {what}; name {model}the adapter's folder in `source.adapter`, or merge it "
            "with peft's `model.merge_and_unload()`, and save the model"
        )


def read_contents(checkpoint: Checkpoint, tokenizer: SourceTokenizer) -> Contents:
    return read_huggingface(checkpoint)


HUGGINGFACE = Format(
    name="huggingface",
    title="Hugging Face",
    expected_files="a Hugging Face directory (config.json, model.safetensors or pytorch_model.bin, tokenizer.json)",
    is_in=holds_huggingface,
    find=find_huggingface,
    read_tokenizer=read_huggingface_tokenizer,
    read_contents=read_contents,
)
