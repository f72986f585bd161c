"""The format of TensorFlow checkpoints beside a config.json, as TFGPT2LMHeadModel's are; OpenAI's may be too."""

from dataclasses import replace
from pathlib import Path

from gpt2forge.checkpoint.config import read_config
from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint, Format, Wanted
from gpt2forge.checkpoint.huggingface.huggingface_format import holds_tokenizer, list_texts
from gpt2forge.checkpoint.huggingface.huggingface_tokenizer import read_huggingface_tokenizer
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, make_from_vocabulary
from gpt2forge.checkpoint.tf1.choose_save import choose_save
from gpt2forge.checkpoint.tf1.find_shards import find_shards
from gpt2forge.checkpoint.tf1.openai_vocabulary import OPENAI_FILES, read_openai_vocabulary
from gpt2forge.checkpoint.tf2.read_variables import read_variables
from gpt2forge.checkpoint.token_ids import read_all_named
from gpt2forge.errors import UserError

CONFIG = "config.json"


def holds_tf2(names: set[str]) -> bool:
    """Return whether these file names are a TensorFlow checkpoint and a config.json, and not OpenAI's hparams.json."""
    return CONFIG in names and "hparams.json" not in names and any(name.endswith(".index") for name in names)


def find_tf2(folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    """Find the files of one save, which `choose_save` chooses, with the configuration and the tokenizer."""
    save = choose_save(folder, names, wanted)
    shards = find_shards(folder, save.prefix, names)
    texts = find_texts(folder, names, wanted)
    files = (*save.pointer, f"{save.prefix}.index", *shards, *texts)
    return Checkpoint(folder, TF2, files=tuple(sorted(files)), weights=shards, notes=save.notes)


def find_texts(folder: Path, names: set[str], wanted: Wanted) -> tuple[str, ...]:
    """Return the names of the files of the configuration and the tokenizer. Raises UserError if one is missing."""
    if not wanted.own_tokenizer or holds_tokenizer(names):
        return tuple(list_texts(names, wanted))
    if names.issuperset(OPENAI_FILES):
        return (CONFIG, *OPENAI_FILES)
    raise UserError(f"{folder}: no tokenizer; put `tokenizer.json`, or `vocab.json` and `merges.txt`, there")


def read_tokenizer(checkpoint: Checkpoint) -> SourceTokenizer:
    if set(OPENAI_FILES) <= set(checkpoint.files):
        return make_from_vocabulary(read_openai_vocabulary(checkpoint.folder))
    return read_huggingface_tokenizer(checkpoint)


def read_contents(checkpoint: Checkpoint, tokenizer: SourceTokenizer) -> Contents:
    path = checkpoint.folder / CONFIG
    contents = read_variables(checkpoint, read_config(checkpoint.folder), path)
    return replace(contents, named=read_all_named(checkpoint.folder))


TF2 = Format(
    name="tf2",
    title="TensorFlow 2",
    expected_files="a TensorFlow 2 checkpoint of TFGPT2LMHeadModel (*.index, *.data-*, config.json, tokenizer.json)",
    is_in=holds_tf2,
    find=find_tf2,
    read_tokenizer=read_tokenizer,
    read_contents=read_contents,
)
