"""OpenAI's encoder: the algorithm of encoder.py, to check a converted tokenizer against.

https://github.com/openai/gpt-2/blob/master/src/encoder.py. It is slow, and its own code, on purpose: it shares nothing
with the library that the converted tokenizer runs in. Special tokens are cut out of a text first.
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import lru_cache

import regex

PATTERN = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")


class OpenAIEncoder:
    """The encoder of encoder.json and vocab.bpe; `special` are the tokens that stay whole."""

    def __init__(self, ids: Mapping[str, int], merges: Sequence[tuple[str, str]], special: Mapping[str, int]) -> None:
        self.ids, self.special = ids, special
        self.tokens = {number: token for token, number in {**ids, **special}.items()}
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.characters = map_bytes()
        self.bytes = {character: byte for byte, character in self.characters.items()}
        self.merge_word = lru_cache(1 << 16)(self.merge)
        self.cuts = regex.compile("|".join(f"({regex.escape(token)})" for token in special)) if special else None

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        found: list[int] = []
        start = 0
        for cut in self.cuts.finditer(text) if self.cuts else ():
            found += [*self.encode_plain(text[start : cut.start()]), self.special[cut[0]]]
            start = cut.end()
        return [*found, *self.encode_plain(text[start:])]

    def encode_plain(self, text: str) -> list[int]:
        words = ("".join(self.characters[byte] for byte in word.encode()) for word in PATTERN.findall(text))
        return [self.ids[part] for word in words for part in self.merge_word(word)]

    def merge(self, word: str) -> list[str]:
        """Return the parts of a word: the neighbours of the lowest rank are merged first."""
        parts = list(word)
        while len(parts) > 1:
            pairs = list(itertools.pairwise(parts))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            parts = merge_pair(parts, best)
        return parts

    def decode(self, ids: Sequence[int], skip_special: bool) -> str:
        """Return the text of ids."""
        tokens = [self.tokens[number] for number in ids]
        kept = [token for token in tokens if not (skip_special and token in self.special)]
        parts = [token.encode() if token in self.special else self.find_bytes(token) for token in kept]
        return b"".join(parts).decode("utf-8", "replace")

    def find_bytes(self, token: str) -> bytes:
        return bytes(self.bytes[character] for character in token)


def merge_pair(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """Merge every occurrence of a pair, from the left."""
    merged: list[str] = []
    place = 0
    while place < len(parts):
        is_pair = tuple(parts[place : place + 2]) == pair
        merged.append("".join(pair) if is_pair else parts[place])
        place += 2 if is_pair else 1
    return merged


def map_bytes() -> dict[int, str]:
    """Return the character that stands for each byte: itself if it is printable, else one from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + place) for place, byte in enumerate(others)}
