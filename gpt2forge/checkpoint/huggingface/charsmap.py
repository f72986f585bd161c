"""Checks the table of character replacements that sentencepiece writes and tokenizers loads as `Precompiled`.

Its first four bytes say how large the search tree behind them is. tokenizers takes that much memory before it looks
whether it is there, up to 4 GB for a damaged file.
"""

from binascii import Error, a2b_base64
from collections.abc import Iterator
from typing import Any

from gpt2forge.checkpoint.tf1.protobuf import read_fields

COUNT = 4  # bytes of the size, little-endian
NORMALIZER, CHARSMAP = 3, 2
"""The numbers of ModelProto.normalizer_spec and NormalizerSpec.precompiled_charsmap in sentencepiece_model.proto."""


def is_cut_off(charsmap: bytes) -> bool:
    """Return whether a table is shorter than it says."""
    return int.from_bytes(charsmap[:COUNT], "little") > max(0, len(charsmap) - COUNT)


def find_in_model(model: bytes) -> Iterator[bytes]:
    """Yield the tables of a vocabulary of sentencepiece. Raises ValueError if it is no protocol buffer message."""
    for number, part in read_fields(model):
        if number == NORMALIZER and isinstance(part, bytes):
            for inner, content in read_fields(part):
                if inner == CHARSMAP and isinstance(content, bytes):
                    yield content


def find_in_normalizer(normalizer: Any) -> Iterator[bytes]:
    """Yield the tables of a normalizer as tokenizer.json describes it, and of those in it."""
    if not isinstance(normalizer, dict):
        return
    table = normalizer.get("precompiled_charsmap")
    if isinstance(table, str):
        try:
            yield a2b_base64(table)
        except (Error, ValueError):
            return  # tokenizers refuses it
    inner = normalizer.get("normalizers")
    for each in inner if isinstance(inner, list) else ():
        yield from find_in_normalizer(each)
