"""The format of nanoGPT: one file ckpt.pt, and a tokenizer that the user puts beside it, because nanoGPT saves none."""

from pathlib import Path

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint, Format, Wanted
from gpt2forge.checkpoint.nanogpt.read_nanogpt import read_nanogpt
from gpt2forge.checkpoint.other_tokenizer import find_tokenizer_files, read_other_tokenizer
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.errors import UserError

WEIGHTS = "ckpt.pt"
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
    files = find_tokenizer_files(names)
    if files:
        return files
    if CHARACTERS in names:
        why = f"`{CHARACTERS}`, which lists the characters, is a pickle, which is not opened because it can run code"
        raise UserError(f"{folder}: {why}; {PUT}")
    raise UserError(f"{folder}: no tokenizer: nanoGPT saves none; {PUT}, the one that the model was trained with")


def read_tokenizer(checkpoint: Checkpoint) -> SourceTokenizer:
    return read_other_tokenizer(checkpoint.folder)


def read_contents(checkpoint: Checkpoint, tokenizer: SourceTokenizer) -> Contents:
    return read_nanogpt(checkpoint.folder / WEIGHTS, tokenizer)


NANOGPT = Format(
    name="nanogpt",
    title="nanoGPT",
    expected_files="nanoGPT's ckpt.pt, and a tokenizer beside it",
    is_in=holds_nanogpt,
    find=find_nanogpt,
    read_tokenizer=read_tokenizer,
    read_contents=read_contents,
)
