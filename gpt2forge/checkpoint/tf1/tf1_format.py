"""The format of OpenAI's checkpoints and of gpt-2-simple's runs: a TensorFlow 1 checkpoint beside three text files."""

import re
from pathlib import Path

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint, Format, Wanted
from gpt2forge.checkpoint.tf1.choose_save import choose_save
from gpt2forge.checkpoint.tf1.missing_texts import TEXTS, check_texts
from gpt2forge.checkpoint.tf1.openai_vocabulary import read_openai_vocabulary
from gpt2forge.checkpoint.tf1.read_tf1 import read_tf1
from gpt2forge.checkpoint.vocabulary import END_OF_TEXT, Vocabulary
from gpt2forge.errors import UserError

SHARD = re.compile(r"\.data-(\d{5})-of-(\d{5})", re.ASCII)


def holds_tf1(names: set[str]) -> bool:
    """Return whether one of these file names marks a TensorFlow checkpoint."""
    return "checkpoint" in names or any(name.endswith(".index") for name in names)


def find_tf1(folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    """Find the files of one save, which `choose_save` chooses, and the texts beside it."""
    save = choose_save(folder, names, wanted.step)
    check_texts(folder, names)
    shards = find_shards(folder, save.prefix, names)
    files = (*save.pointer, f"{save.prefix}.index", *shards, *TEXTS)
    return Checkpoint(folder, TF1, files=tuple(sorted(files)), weights=shards, notes=save.notes)


def find_shards(folder: Path, prefix: str, names: set[str]) -> tuple[str, ...]:
    """Return the names of all shards of a checkpoint, in order."""
    matches = {name: SHARD.fullmatch(name.removeprefix(prefix)) for name in sorted(names) if name.startswith(prefix)}
    found = {name: (int(match[1]), int(match[2])) for name, match in matches.items() if match}
    counts = {count for _, count in found.values()}
    if len(counts) != 1:
        problem = "`.data-*` files of several checkpoints" if counts else "no `.data-*` file"
        raise UserError(f"{folder}: {problem} for `{prefix}.index`; copy the whole checkpoint there")
    count = counts.pop()
    if len(found) < count or count == 0:
        missing = next(shard for shard in range(count + 1) if (shard, count) not in found.values())
        raise UserError(
            f"{folder}: `{prefix}.data-{missing:05}-of-{count:05}` missing; copy the whole checkpoint there"
        )
    return tuple(found)


def read_vocabulary(checkpoint: Checkpoint) -> Vocabulary:
    return read_openai_vocabulary(checkpoint.folder)


def read_contents(checkpoint: Checkpoint, vocabulary: Vocabulary) -> Contents:
    return read_tf1(checkpoint, vocabulary.ids[END_OF_TEXT])


TF1 = Format(
    name="tf1",
    title="TensorFlow",
    expected_files="OpenAI's files (checkpoint, model.ckpt.*, hparams.json, encoder.json, vocab.bpe)",
    is_in=holds_tf1,
    find=find_tf1,
    read_vocabulary=read_vocabulary,
    read_contents=read_contents,
)
