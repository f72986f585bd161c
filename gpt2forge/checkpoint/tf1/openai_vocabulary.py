"""Reads the tokenizer of an OpenAI checkpoint: encoder.json and vocab.bpe."""

from pathlib import Path

from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.checkpoint.vocabulary import (
    END_OF_TEXT,
    Added,
    Vocabulary,
    check_bytes,
    list_default_roles,
    parse_ids,
    parse_merges,
    read_lines,
)
from gpt2forge.errors import UserError

OPENAI_FILES = ("encoder.json", "vocab.bpe")


def read_openai_vocabulary(folder: Path) -> Vocabulary:
    """Read encoder.json and vocab.bpe. Raises UserError unless they are byte-level BPE with `<|endoftext|>`."""
    path = folder / "encoder.json"
    ids = parse_ids(read_object(path), path)
    check_bytes(ids, path)
    merges = parse_merges(read_lines(folder / "vocab.bpe"), ids, folder / "vocab.bpe")
    if END_OF_TEXT not in ids:
        raise UserError(f"{path}: has no `{END_OF_TEXT}`; is it the one of this checkpoint?")
    return Vocabulary(ids, merges, (Added(ids[END_OF_TEXT], END_OF_TEXT),), list_default_roles(ids))
