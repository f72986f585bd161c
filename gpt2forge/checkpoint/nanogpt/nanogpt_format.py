"""The format of nanoGPT: one file ckpt.pt, and a tokenizer that the user puts beside it, because nanoGPT saves none."""

from pathlib import Path

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint, Format, Wanted
from gpt2forge.checkpoint.huggingface.huggingface_vocabulary import BESIDE, read_huggingface_vocabulary
from gpt2forge.checkpoint.nanogpt.read_nanogpt import read_nanogpt
from gpt2forge.checkpoint.tf1.openai_vocabulary import read_openai_vocabulary
from gpt2forge.checkpoint.vocabulary import Vocabulary
from gpt2forge.errors import UserError

WEIGHTS = "ckpt.pt"
OPENAI = ("encoder.json", "vocab.bpe")
TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"), OPENAI)
"""The files of a tokenizer; the first set that is there is read."""

CHARACTERS = "meta.pkl"
PUT = "put `tokenizer.json`, or `vocab.json` and `merges.txt`, there, or name a tokenizer with `source.tokenizer`"


def holds_nanogpt(names: set[str]) -> bool:
    """Return whether one of these file names marks a checkpoint of nanoGPT."""
    return WEIGHTS in names


def find_nanogpt(folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    """Find ckpt.pt and the tokenizer beside it."""
    tokenizer = find_tokenizer(folder, names) if wanted.own_tokenizer else ()
    return Checkpoint(folder, NANOGPT, files=tuple(sorted((WEIGHTS, *tokenizer))), weights=(WEIGHTS,))


def find_tokenizer(folder: Path, names: set[str]) -> tuple[str, ...]:
    """Return the names of the tokenizer's files. Raises UserError if there are none."""
    for files in TOKENIZERS:
        if names.issuperset(files):
            return files if files == OPENAI else (*files, *(name for name in BESIDE if name in names))
    if CHARACTERS in names:
        why = f"`{CHARACTERS}`, which lists the characters, is a pickle, which is not opened because it can run code"
        raise UserError(f"{folder}: {why}; {PUT}")
    raise UserError(f"{folder}: no tokenizer: nanoGPT saves none; {PUT}, the one that the model was trained with")


def read_vocabulary(checkpoint: Checkpoint) -> Vocabulary:
    if OPENAI[0] in checkpoint.files:
        return read_openai_vocabulary(checkpoint.folder)
    return read_huggingface_vocabulary(checkpoint)


def read_contents(checkpoint: Checkpoint, vocabulary: Vocabulary) -> Contents:
    return read_nanogpt(checkpoint.folder / WEIGHTS, vocabulary)


NANOGPT = Format(
    name="nanogpt",
    title="nanoGPT",
    expected_files="nanoGPT's ckpt.pt, and a tokenizer beside it",
    is_in=holds_nanogpt,
    find=find_nanogpt,
    read_vocabulary=read_vocabulary,
    read_contents=read_contents,
)
