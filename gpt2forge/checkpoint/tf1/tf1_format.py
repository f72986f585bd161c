"""The format of OpenAI's checkpoints and of gpt-2-simple's runs: a TensorFlow 1 checkpoint beside three text files."""

import re
from pathlib import Path

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint, Format, Wanted
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, make_from_vocabulary
from gpt2forge.checkpoint.tf1.openai_vocabulary import read_openai_vocabulary
from gpt2forge.checkpoint.tf1.pointer import read_pointer
from gpt2forge.checkpoint.tf1.read_tf1 import read_tf1
from gpt2forge.checkpoint.vocabulary import END_OF_TEXT
from gpt2forge.errors import UserError

TEXTS = ("hparams.json", "encoder.json", "vocab.bpe")
SHARD = re.compile(r"\.data-(\d{5})-of-(\d{5})", re.ASCII)


def holds_tf1(names: set[str]) -> bool:
    """Return whether one of these file names marks a TensorFlow checkpoint."""
    return "checkpoint" in names or any(name.endswith(".index") for name in names)


def find_tf1(folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    """Find the files of the checkpoint that the file `checkpoint` names; without that file, of the only one."""
    missing = [name for name in TEXTS if name not in names]
    if missing:
        raise UserError(f"{folder}: `{'`, `'.join(missing)}` missing; copy them from what was fine-tuned")
    pointer = ("checkpoint",) if "checkpoint" in names else ()
    prefix = read_pointer(folder / "checkpoint", names) if pointer else find_only_prefix(folder, names)
    shards = find_shards(folder, prefix, names)
    files = (*pointer, f"{prefix}.index", *shards, *TEXTS)
    return Checkpoint(folder, TF1, files=tuple(sorted(files)), weights=shards)


def find_only_prefix(folder: Path, names: set[str]) -> str:
    found = sorted(name for name in names if name.endswith(".index"))
    if len(found) > 1:
        raise UserError(f"{folder}: holds `{'`, `'.join(found)}`, but no file `checkpoint` that names one of them")
    return found[0].removesuffix(".index")


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


def read_tokenizer(checkpoint: Checkpoint) -> SourceTokenizer:
    return make_from_vocabulary(read_openai_vocabulary(checkpoint.folder))


def read_contents(checkpoint: Checkpoint, tokenizer: SourceTokenizer) -> Contents:
    return read_tf1(checkpoint, tokenizer.find(END_OF_TEXT) or 0)


TF1 = Format(
    name="tf1",
    title="TensorFlow",
    expected_files="OpenAI's files (checkpoint, model.ckpt.*, hparams.json, encoder.json, vocab.bpe)",
    is_in=holds_tf1,
    find=find_tf1,
    read_tokenizer=read_tokenizer,
    read_contents=read_contents,
)
