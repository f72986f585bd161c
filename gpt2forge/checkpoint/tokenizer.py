"""Writes the files of a tokenizer that AutoTokenizer, transformers.js and onnxruntime-genai load."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.checkpoint.vocabulary import Vocabulary
from gpt2forge.errors import UserError


def write_tokenizer(vocabulary: Vocabulary, positions: int, folder: Path) -> None:
    """Write tokenizer.json, vocab.json, merges.txt, tokenizer_config.json and special_tokens_map.json.

    `positions` is the model's context length in tokens. Raises UserError if an added token cannot keep its id.
    """
    merges = "".join(f"{left} {right}\n" for left, right in vocabulary.merges)
    write_json(folder / "vocab.json", dict(vocabulary.ids), compact=True)
    (folder / "merges.txt").write_bytes(f"#version: 0.2\n{merges}".encode())
    (folder / "tokenizer.json").write_bytes(make_tokenizer(vocabulary).to_str().encode())
    write_json(folder / "tokenizer_config.json", describe_tokenizer(vocabulary, positions))
    write_json(folder / "special_tokens_map.json", dict(vocabulary.roles))


def make_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """Make the tokenizer that gives the ids of OpenAI's encoder: byte-level BPE with GPT-2's regular expression."""
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    values = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [asdict(added) for added in vocabulary.added],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": {**level, "trim_offsets": False},
        "decoder": level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(vocabulary.ids),
            "merges": vocabulary.merges,
        },
    }
    tokenizer = Tokenizer.from_str(json.dumps(values))
    for added in vocabulary.added:
        # tokenizers chooses the id of a token that is not in the vocabulary: the next one after the last.
        if tokenizer.token_to_id(added.content) != added.id:
            name = f"the tokenizer's added token {quote_untrusted(added.content)}"
            raise UserError(f"{name} cannot keep its id {added.id}; number added tokens without gaps")
    return tokenizer


def describe_tokenizer(vocabulary: Vocabulary, positions: int) -> dict[str, Any]:
    """Return the values of tokenizer_config.json."""
    decoder = {str(added.id): {k: v for k, v in asdict(added).items() if k != "id"} for added in vocabulary.added}
    return {
        **vocabulary.settings,
        **vocabulary.roles,
        "add_prefix_space": False,
        "added_tokens_decoder": decoder,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "model_max_length": positions,
        "tokenizer_class": "GPT2Tokenizer",
    }


def write_json(path: Path, value: dict[str, Any], compact: bool = False) -> None:
    """Write an object as ASCII JSON: sorted and indented, or compact in its own order."""
    layout: dict[str, Any] = {"separators": (",", ":")} if compact else {"indent": 2, "sort_keys": True}
    path.write_bytes(json.dumps(value, **layout).encode() + b"\n")
