"""An independent encoder: tiktoken's, made from vocab.json and merges.txt."""

import json
from pathlib import Path

from tiktoken import Encoding

from gpt2forge.runtime.text import BYTES

END_OF_TEXT = "<|endoftext|>"

PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
"""OpenAI's pattern for splitting a text: https://github.com/openai/gpt-2/blob/master/src/encoder.py."""


def make_tiktoken(folder: Path) -> Encoding:
    """Make the encoding of a published directory with OpenAI's order of ids: bytes, then merges in their order."""
    ids: dict[str, int] = json.loads((folder / "vocab.json").read_text())
    end = ids.pop(END_OF_TEXT)
    merges = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")[1:-1]
    # tiktoken uses a token's id as its rank among the merges.
    assert [ids[merge.replace(" ", "")] for merge in merges] == list(range(256, 256 + len(merges)))
    ranks = {bytes(BYTES[character] for character in token): number for token, number in ids.items()}
    return Encoding(folder.name, pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={END_OF_TEXT: end})
