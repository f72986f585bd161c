"""The format that transformers' `save_pretrained` writes: config.json, safetensors files and a tokenizer."""

from pathlib import Path

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint, Format, Wanted
from gpt2forge.checkpoint.huggingface.huggingface_tokenizer import TOKENIZER_FILES, read_huggingface_tokenizer
from gpt2forge.checkpoint.huggingface.read_huggingface import add_token_ids, read_huggingface, read_weight_map
from gpt2forge.checkpoint.huggingface.tokenizer_kinds import KINDS
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.weight_names import hold_only_others
from gpt2forge.errors import UserError

CONFIGS = ("config.json", "generation_config.json")
TEXTS = (*CONFIGS, *TOKENIZER_FILES)


def holds_huggingface(names: set[str]) -> bool:
    """Return whether one of these file names marks a Hugging Face directory."""
    return "config.json" in names and not hold_only_others(names)


def find_huggingface(folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    """Find the files of a directory that transformers' `save_pretrained` wrote."""
    indexes, weights = find_weights(folder, names)
    if wanted.own_tokenizer and not holds_tokenizer(names):
        raise UserError(f"{folder}: no tokenizer; put `tokenizer.json`, or `vocab.json` and `merges.txt`, there")
    texts = TEXTS if wanted.own_tokenizer else CONFIGS
    files = (*(name for name in texts if name in names), *indexes, *weights)
    return Checkpoint(folder, HUGGINGFACE, files=tuple(sorted(files)), weights=weights)


def holds_tokenizer(names: set[str]) -> bool:
    """Return whether files of these names hold a tokenizer."""
    return "tokenizer.json" in names or any(names >= set(kind.files) for kind in KINDS)


def find_weights(folder: Path, names: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the index files, if there are any, and of the files that hold the weights."""
    if "model.safetensors" in names:
        return (), ("model.safetensors",)
    if "model.safetensors.index.json" in names:
        index = folder / "model.safetensors.index.json"
        return (index.name,), tuple(sorted(set(read_weight_map(index, names).values())))
    if "pytorch_model.bin" in names or "pytorch_model.bin.index.json" in names:
        raise UserError(
            f"{folder}: `pytorch_model.bin` is a pickle, which is not opened because it can run code; "
            "write it again with `model.save_pretrained(folder, safe_serialization=True)`"
        )
    raise UserError(f"{folder}: has config.json, but no `model.safetensors`; put it there")


def read_contents(checkpoint: Checkpoint, tokenizer: SourceTokenizer) -> Contents:
    return add_token_ids(read_huggingface(checkpoint), tokenizer, checkpoint.folder / "config.json")


HUGGINGFACE = Format(
    name="huggingface",
    title="Hugging Face",
    expected_files="a Hugging Face directory (config.json, model.safetensors, tokenizer.json)",
    is_in=holds_huggingface,
    find=find_huggingface,
    read_tokenizer=read_huggingface_tokenizer,
    read_contents=read_contents,
)
