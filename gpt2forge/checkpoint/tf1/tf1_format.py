"""The format of OpenAI's checkpoints and of gpt-2-simple's runs: a TensorFlow 1 checkpoint beside three text files."""

from pathlib import Path

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint, Format, Wanted
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, make_from_vocabulary
from gpt2forge.checkpoint.tf1.bundle_index import read_bundle
from gpt2forge.checkpoint.tf1.choose_save import choose_save
from gpt2forge.checkpoint.tf1.find_shards import find_shards
from gpt2forge.checkpoint.tf1.missing_texts import CONFIG, TEXTS, check_texts
from gpt2forge.checkpoint.tf1.openai_vocabulary import read_openai_vocabulary
from gpt2forge.checkpoint.tf1.read_tf1 import read_hparams
from gpt2forge.checkpoint.tf2.object_graph import is_object_graph
from gpt2forge.checkpoint.tf2.read_variables import read_variables
from gpt2forge.errors import UserError


def holds_tf1(names: set[str]) -> bool:
    """Return whether one of these file names marks a TensorFlow checkpoint, and none another format's configuration."""
    is_saved = "checkpoint" in names or any(name.endswith(".index") for name in names)
    return is_saved and ("config.json" not in names or "hparams.json" in names)


def find_tf1(folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    """Find the files of one save, which `choose_save` chooses, and the texts beside it."""
    save = choose_save(folder, names, wanted)
    if names.isdisjoint(TEXTS):
        refuse_undescribed(folder, save.prefix)
    texts = TEXTS if wanted.own_tokenizer else (CONFIG,)
    check_texts(folder, names, texts)
    shards = find_shards(folder, save.prefix, names)
    files = (*save.pointer, f"{save.prefix}.index", *shards, *texts)
    return Checkpoint(folder, TF1, files=tuple(sorted(files)), weights=shards, notes=save.notes)


def refuse_undescribed(folder: Path, prefix: str) -> None:
    """Raise UserError for a TensorFlow 2 checkpoint with neither OpenAI's texts nor transformers'."""
    entries = read_bundle(folder / f"{prefix}.index")
    if is_object_graph(entries):
        raise UserError(
            f"{folder}: a TensorFlow 2 checkpoint without `config.json`; put it there with the tokenizer: "
            "`model.config.save_pretrained(folder)` and `tokenizer.save_pretrained(folder)` write them"
        )


def read_tokenizer(checkpoint: Checkpoint) -> SourceTokenizer:
    return make_from_vocabulary(read_openai_vocabulary(checkpoint.folder))


def read_contents(checkpoint: Checkpoint, tokenizer: SourceTokenizer) -> Contents:
    path = checkpoint.folder / CONFIG
    return read_variables(checkpoint, read_hparams(path), path)


TF1 = Format(
    name="tf1",
    title="TensorFlow",
    expected_files="OpenAI's files (checkpoint, model.ckpt.*, hparams.json, encoder.json, vocab.bpe)",
    is_in=holds_tf1,
    find=find_tf1,
    read_tokenizer=read_tokenizer,
    read_contents=read_contents,
)
