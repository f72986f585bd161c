"""Reads the tokenizer in the metadata of a GGUF file: the ids of its tokens, its merges, and its added tokens."""

from array import array
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.huggingface.tokenizer_kinds import GPT2
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, make_from_vocabulary
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.checkpoint.vocabulary import Added, Vocabulary, parse_ids, parse_merges
from gpt2forge.errors import UserError

MODEL, PRE = "tokenizer.ggml.model", "tokenizer.ggml.pre"
SPLITS = (
    "gpt-2",
    "phi-2",
    "roberta-bpe",
    "default",
)  # llama.cpp splits by GPT-2's pattern, or does not know the pattern
CONTROL, USER_DEFINED, UNUSED = 3, 4, 5  # llama_token_type; the others are parts of words
ROLES = {
    "bos_token": "tokenizer.ggml.bos_token_id",
    "eos_token": "tokenizer.ggml.eos_token_id",
    "unk_token": "tokenizer.ggml.unknown_token_id",
    "pad_token": "tokenizer.ggml.padding_token_id",
}
CHAT_TEMPLATE = "tokenizer.chat_template"


def read_gguf_tokenizer(metadata: Mapping[str, Any], path: Path) -> SourceTokenizer:
    """Read the tokenizer. Raises UserError if it is not the byte-level BPE of GPT-2."""
    tokenizer = make_from_vocabulary(read_vocabulary(metadata, path))
    template = metadata.get(CHAT_TEMPLATE)
    templates = {"default": template} if isinstance(template, str) else {}
    return replace(surround(tokenizer, metadata), templates=templates)


def surround(source: SourceTokenizer, metadata: Mapping[str, Any]) -> SourceTokenizer:
    """Add the tokens around a text that the metadata ask for."""
    asked = {
        name: True for name in ("add_bos_token", "add_eos_token") if metadata.get(f"tokenizer.ggml.{name}") is True
    }
    if not asked:
        return source
    from tokenizers import Tokenizer  # finding a checkpoint imports this module

    tokenizer = Tokenizer.from_str(source.text)
    GPT2.surround(tokenizer, asked, source.roles)
    return replace(source, text=tokenizer.to_str(), settings={**source.settings, **asked})


def read_vocabulary(metadata: Mapping[str, Any], path: Path) -> Vocabulary:
    """Read the tokens and merges. Raises UserError if they are not the byte-level BPE of GPT-2."""
    if metadata.get(MODEL) != "gpt2" or metadata.get(PRE, "default") not in SPLITS:
        found = f"`{MODEL}` {quote_untrusted(metadata.get(MODEL))}, `{PRE}` {quote_untrusted(metadata.get(PRE))}"
        raise UserError(f"{path}: its tokenizer ({found}) is not GPT-2's byte-level BPE")
    tokens = read_texts(metadata, "tokenizer.ggml.tokens", path)
    types = read_types(metadata, len(tokens), path)
    used = {number: token for number, token in enumerate(tokens) if types[number] != UNUSED}
    ids = {token: number for number, token in used.items()}
    if len(ids) < len(used):
        raise UserError(f"{path}: two tokens of its tokenizer are the same; convert the model again")
    pairs = read_texts(metadata, "tokenizer.ggml.merges", path)
    added = tuple(
        Added(number, token, special=types[number] == CONTROL)
        for number, token in used.items()
        if types[number] in (CONTROL, USER_DEFINED)
    )
    ids = parse_ids(ids, path)
    return Vocabulary(ids, parse_merges(pairs, ids, path), added, read_roles(metadata, used, path))


def read_texts(metadata: Mapping[str, Any], key: str, path: Path) -> list[str]:
    """Return a list of texts. Raises UserError if there is none."""
    values = metadata.get(key)
    if not isinstance(values, list):
        raise UserError(f"{path}: has no `{key}`; convert the model with its tokenizer")
    return values


def read_types(metadata: Mapping[str, Any], count: int, path: Path) -> "array[int]":
    """Return the type of each token. Raises UserError unless there are as many as tokens."""
    types = metadata.get("tokenizer.ggml.token_type")
    if not isinstance(types, array) or types.typecode not in "bBhHiIqQ" or len(types) != count:
        raise UserError(f"{path}: has no `tokenizer.ggml.token_type` for each of {count} tokens; convert it again")
    return types


def read_roles(metadata: Mapping[str, Any], tokens: Mapping[int, str], path: Path) -> dict[str, str]:
    """Return the token of each role. Raises UserError if an id is not one of a token."""
    roles = {}
    for role, key in ROLES.items():
        if key not in metadata:
            continue
        number = metadata[key]
        if type(number) is not int or number not in tokens:
            raise UserError(f"{path}: `{key}` {quote_untrusted(number)} is not the id of one of its tokens")
        roles[role] = tokens[number]
    return roles
