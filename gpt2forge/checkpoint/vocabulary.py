"""The contents of a GPT-2 tokenizer: the ids of its tokens, its merges, and its added tokens."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_text
from gpt2forge.errors import UserError

END_OF_TEXT = "<|endoftext|>"
LARGEST_ID = 1 << 31
WHOLE = re.compile(r"[<\[].{2,}[>\]]", re.DOTALL)
FEW = 0.05  # share of a vocabulary; a user may have added tokens that no merge makes
Merge = tuple[str, str]


@dataclass(frozen=True)
class Added:
    """A token that the tokenizer finds in a text before it splits it; the fields are those of tokenizer.json."""

    id: int
    content: str
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False
    special: bool = True


@dataclass(frozen=True)
class Vocabulary:
    """Byte-level byte-pair encoding as in OpenAI's encoder.json and vocab.bpe.

    `roles` maps a role to its token (`eos_token`: `<|endoftext|>`); `settings` holds other values that are kept of a
    tokenizer_config.json.
    """

    ids: Mapping[str, int]
    merges: tuple[Merge, ...]
    added: tuple[Added, ...]
    roles: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def find(self, token: str) -> int | None:
        """Return the id of a token, None if there is no such token."""
        return next((added.id for added in self.added if added.content == token), self.ids.get(token))

    @property
    def size(self) -> int:
        """The largest id plus one."""
        return 1 + max([*self.ids.values(), *(added.id for added in self.added)])


def list_default_roles(tokens: Iterable[str]) -> dict[str, str]:
    """Return the roles that transformers' GPT-2 tokenizer gives to `<|endoftext|>`, if it is one of the tokens."""
    return dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT) if END_OF_TEXT in tokens else {}


def read_lines(path: Path) -> list[list[str]]:
    """Read the merges of a vocab.bpe or merges.txt as lists of words, without its version line."""
    lines = read_text(path).split("\n")  # not splitlines: a merge may hold a character that Unicode calls a line end
    return [line.split() for line in lines[lines[0].startswith("#version") :] if line.strip()]


def parse_ids(values: Mapping[str, Any], path: Path) -> dict[str, int]:
    """Return all ids in order. Raises UserError unless they are distinct counts."""
    for token, number in values.items():
        if type(number) is not int or not 0 <= number < LARGEST_ID:
            raise UserError(f"{path}: {quote_untrusted(token)} has the id {quote_untrusted(number)}, not a count")
    if len(set(values.values())) < len(values):
        raise UserError(f"{path}: two tokens have the same id; is it the file of this checkpoint?")
    return dict(sorted(values.items(), key=lambda item: item[1]))


def check_bytes(ids: Mapping[str, int], path: Path) -> None:
    """Raise UserError unless there is a token for every byte, as in every vocabulary that OpenAI's code made."""
    missing = list_byte_tokens() - ids.keys()
    if missing:
        raise UserError(f"{path}: has no token for {len(missing)} of the 256 bytes, so it is no byte-level BPE")


def list_byte_tokens() -> set[str]:
    """Return the 256 characters that stand for the bytes in a byte-level vocabulary."""
    from tokenizers.pre_tokenizers import ByteLevel  # not at the top: finding a checkpoint imports this module

    return set(ByteLevel.alphabet())


def parse_merges(pairs: Iterable[Any], ids: Mapping[str, int], path: Path) -> tuple[Merge, ...]:
    """Parse pairs of tokens. Raises UserError unless both of each pair, and their concatenation, are tokens."""
    merges = []
    for number, pair in enumerate(pairs):
        if isinstance(pair, str):
            pair = pair.split(" ")
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(word, str) for word in pair):
            raise UserError(f"{path}: merge {number}, {quote_untrusted(pair)}, is not two tokens")
        if not {*pair, "".join(pair)} <= ids.keys():
            shown = quote_untrusted(" ".join(pair))
            raise UserError(f"{path}: merge {number}, {shown}, names tokens that the vocabulary lacks")
        merges.append((pair[0], pair[1]))
    check_complete(ids, merges, path)
    return tuple(merges)


def check_complete(ids: Mapping[str, int], merges: Iterable[Merge], path: Path) -> None:
    """Raise UserError if no merge makes many of the tokens, as when the file of the merges was cut off.

    Tokens in brackets, such as `<pad>` and `[SEP]`, are those that a trainer was told to keep whole.
    """
    made = {first + second for first, second in merges}
    unmade = [token for token in ids if len(token) > 1 and token not in made and not WHOLE.fullmatch(token)]
    if len(unmade) > FEW * len(ids):
        count = f"{len(unmade)} of the {len(ids)} tokens have no merge that makes them"
        raise UserError(f"{path}: {count}; is the file complete?")
