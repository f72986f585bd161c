"""Opens the source's own tokenizer in its library, where that is installed.

1. A Hugging Face directory is read by transformers' AutoTokenizer.
2. OpenAI's two files are read by the algorithm of their encoder.py, with the package `regex`.
3. A tokenizer.json that nothing describes is read by the library tokenizers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from gpt2forge.checkpoint.format import Checkpoint, Wanted
from gpt2forge.checkpoint.huggingface.added_tokens import ROLES
from gpt2forge.checkpoint.huggingface.huggingface_format import holds_tokenizer
from gpt2forge.checkpoint.huggingface.transformers_tokenizer import load_in_transformers
from gpt2forge.checkpoint.other_tokenizer import list_tokenizer_files
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, raise_unless_library
from gpt2forge.checkpoint.tf1.openai_vocabulary import OPENAI_FILES
from gpt2forge.checkpoint.vocabulary import read_lines

Encode = Callable[[str], Sequence[int]]
Decode = Callable[[Sequence[int], bool], str]


@dataclass(frozen=True)
class SourceTexts:
    """The source's own tokenizer: `encode(text)` returns ids, `decode(ids, skip)` leaves special tokens out or in.

    `encode_plain(text)` adds no token at the beginning or the end. `added` are the tokens that stay whole. `roles` map
    a role to its token, if the library knows them.
    """

    name: str
    encode: Encode
    decode: Decode
    encode_plain: Encode
    added: tuple[str, ...]
    roles: Mapping[str, str] = field(default_factory=dict)


def open_huggingface(folder: Path) -> SourceTexts | None:
    """Open the tokenizer of a Hugging Face directory in transformers; None if that is missing or cannot load it."""
    try:
        tokenizer = load_in_transformers(folder)
    except BaseException as error:  # it raises whatever its parts raise; what it cannot load or run is no measure
        raise_unless_library(error)
        return None
    return None if tokenizer is None else wrap(tokenizer)


def wrap(tokenizer: Any) -> SourceTexts:
    """Return a tokenizer of transformers as the source's own."""
    return SourceTexts(
        name="transformers",
        encode=lambda text: tokenizer(text)["input_ids"],
        decode=lambda ids, skip: str(
            tokenizer.decode(list(ids), skip_special_tokens=skip, clean_up_tokenization_spaces=False)
        ),
        encode_plain=lambda text: tokenizer(text, add_special_tokens=False)["input_ids"],
        added=tuple(tokenizer.get_added_vocab()),
        roles={role: str(token) for role in ROLES if (token := getattr(tokenizer, role, None)) is not None},
    )


def open_file(path: Path) -> SourceTexts | None:
    """Open a tokenizer.json in the library tokenizers; None if that cannot load it."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except BaseException as error:
        raise_unless_library(error)
        return None
    if hasattr(tokenizer.model, "dropout"):
        tokenizer.model.dropout = None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return SourceTexts(
        name="the library tokenizers",
        encode=lambda text: tokenizer.encode(text).ids,
        decode=lambda ids, skip: str(tokenizer.decode(ids, skip_special_tokens=skip)),
        encode_plain=lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
        added=tuple(token.content for token in tokenizer.get_added_tokens_decoder().values()),
    )


def open_openai(ids: dict[str, int], merges: Sequence[tuple[str, str]], special: dict[str, int]) -> SourceTexts | None:
    """Return OpenAI's encoder with these files; None without the package `regex`."""
    if find_spec("regex") is None:
        return None
    from gpt2forge.checkpoint.tf1.openai_encoder import OpenAIEncoder

    encoder = OpenAIEncoder(ids, merges, special)
    return SourceTexts("OpenAI's encoder", encoder.encode, encoder.decode, encoder.encode, tuple(special))


def is_openai(checkpoint: Checkpoint) -> bool:
    """Return whether the checkpoint's tokenizer is OpenAI's two files."""
    return set(OPENAI_FILES) <= set(checkpoint.files)


def reads_as_saved(checkpoint: Checkpoint, wanted: Wanted) -> bool:
    """Return whether the converted tokenizer reads texts as the checkpoint's own does in its library.

    transformers reads special tokens as the files say, and OpenAI's encoder as it is told.
    """
    return wanted.own_tokenizer and (wanted.special_tokens != "text" or is_openai(checkpoint))


def open_source(checkpoint: Checkpoint, tokenizer: SourceTokenizer, wanted: Wanted) -> SourceTexts | None:
    """Open the checkpoint's own tokenizer, which was read as `tokenizer`.

    Returns None if no library for it is there, or if it would read texts otherwise.
    """
    if not reads_as_saved(checkpoint, wanted):
        return None
    if is_openai(checkpoint):
        return open_openai(dict(tokenizer.ids), tokenizer.merges or (), dict(tokenizer.added))
    return open_huggingface(checkpoint.folder) if holds_tokenizer(set(checkpoint.files)) else None


def open_converted(checkpoint: Checkpoint, weights: Path) -> SourceTexts | None:
    """Open the checkpoint's own tokenizer as `open_source` does; `weights` is the converted checkpoint."""
    if not is_openai(checkpoint):
        return open_huggingface(checkpoint.folder) if holds_tokenizer(set(checkpoint.files)) else None
    ids = json.loads((weights / "vocab.json").read_bytes())
    merges = [(left, right) for left, right in read_lines(weights / "merges.txt")]
    added = Tokenizer.from_file(str(weights / "tokenizer.json")).get_added_tokens_decoder()
    return open_openai(ids, merges, {token.content: number for number, token in added.items()})


def open_other(path: Path, tokenizer: SourceTokenizer, wanted: Wanted) -> SourceTexts | None:
    """Open the tokenizer at `path`, which was read as `tokenizer`; None as for `open_source`."""
    if path.is_dir() and list_tokenizer_files(path) == OPENAI_FILES:
        return open_openai(dict(tokenizer.ids), tokenizer.merges or (), dict(tokenizer.added))
    if wanted.special_tokens == "text":
        return None
    return open_file(path) if path.is_file() else open_huggingface(path)
