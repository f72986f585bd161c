"""Tokenizers that come from elsewhere than the checkpoint: another folder, a tokenizer.json, or none at all."""

import json
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.huggingface.huggingface_format import holds_tokenizer
from gpt2forge.checkpoint.huggingface.huggingface_tokenizer import (
    TOKENIZER_FILES,
    list_tokenizer_names,
    read_tokenizer_files,
)
from gpt2forge.checkpoint.huggingface.tokenizer_class import MODEL_CONFIG, WHOLE, is_alone
from gpt2forge.checkpoint.locate import list_names
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, make_from_vocabulary
from gpt2forge.checkpoint.tf1.openai_vocabulary import OPENAI_FILES, read_openai_vocabulary
from gpt2forge.errors import UserError

NONE = "none"
NO_TOKENIZER = SourceTokenizer(text="", ids={}, added={}, merges=None, roles={})


def find_tokenizer_files(names: set[str]) -> tuple[str, ...]:
    """Return those of a folder's files that are a tokenizer's, or say of which class it is; empty if there is none."""
    if holds_tokenizer(names):
        return tuple(sorted(list_tokenizer_names(names) | names.intersection([MODEL_CONFIG])))
    return OPENAI_FILES if names >= set(OPENAI_FILES) else ()


def list_tokenizer_files(folder: Path) -> tuple[str, ...]:
    """List the files of the tokenizer in a folder. Raises UserError if there is none."""
    found = find_tokenizer_files(list_names(folder) if folder.is_dir() else set())
    if not found:
        raise UserError(
            f"{folder}: holds no tokenizer; put `tokenizer.json`, `vocab.json` and `merges.txt`, or `encoder.json` and "
            "`vocab.bpe` there"
        )
    return found


def find_tokenizer_place(path: Path) -> Path:
    """Return the folder that a path stands for if it is of a tokenizer's file by its usual name, else the path."""
    is_usual = path.is_file() and path.name in (*TOKENIZER_FILES, *OPENAI_FILES)
    return path.parent if is_usual else path


def read_other_tokenizer(path: Path) -> SourceTokenizer:
    """Read the tokenizer in a folder, or a tokenizer.json by another name. Raises UserError if it is damaged."""
    if path.is_file():
        return read_tokenizer_files(path.parent, {path.name}, alone=path.name)
    names = list_tokenizer_files(path)
    if names == OPENAI_FILES:
        return make_from_vocabulary(read_openai_vocabulary(path))
    return read_tokenizer_files(path, set(names), alone=WHOLE if is_alone(names) else None)


def make_id_tokenizer(rows: int) -> SourceTokenizer:
    """Make the tokenizer of a model without one: a text is the ids themselves, with spaces between them."""
    ids = {str(number): number for number in range(rows)}
    values: dict[str, Any] = {
        "version": "1.0",
        **dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder")),
        "added_tokens": [],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        # A word that is no id is an error: the unknown token is not one of the vocabulary.
        "model": {"type": "WordLevel", "vocab": ids, "unk_token": "id"},
    }
    return SourceTokenizer(text=json.dumps(values), ids=ids, added={}, merges=None, roles={})
