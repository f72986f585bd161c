"""A GPT-2 tokenizer's content: the ids of its tokens, its merges, and which tokens are whole words of their own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers.pre_tokenizers import ByteLevel

from gpt2forge.checkpoint.untrusted_text import quote, read_object, read_text
from gpt2forge.errors import UserError

END_OF_TEXT = "<|endoftext|>"
LARGEST_ID = 1 << 31
FEW = 0.05  # of a vocabulary; somebody may have added words of their own
Merge = tuple[str, str]


@dataclass(frozen=True)
class Added:
    """A token that is found in a text before anything is split; the fields are those of tokenizer.json."""

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

    `roles` says which token is what (`eos_token`: `<|endoftext|>`), `settings` is the rest of a tokenizer_config.json.
    """

    ids: Mapping[str, int]
    merges: tuple[Merge, ...]
    added: tuple[Added, ...]
    roles: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def find(self, token: str) -> int | None:
        """The id of a token, None where there is none."""
        return next((added.id for added in self.added if added.content == token), self.ids.get(token))

    @property
    def size(self) -> int:
        """One more than the largest id."""
        return 1 + max([*self.ids.values(), *(added.id for added in self.added)])


def read_openai_vocabulary(folder: Path) -> Vocabulary:
    """Read encoder.json and vocab.bpe; raises UserError where they are no byte-level BPE with `<|endoftext|>`."""
    path = folder / "encoder.json"
    ids = parse_ids(read_object(path), path)
    merges = parse_merges(read_lines(folder / "vocab.bpe"), ids, folder / "vocab.bpe")
    if END_OF_TEXT not in ids:
        raise UserError(f"{path}: has no `{END_OF_TEXT}`; is it the one of this checkpoint?")
    return Vocabulary(ids, merges, (Added(ids[END_OF_TEXT], END_OF_TEXT),), give_roles(ids))


def give_roles(tokens: Iterable[str]) -> dict[str, str]:
    """What transformers' GPT-2 tokenizer takes `<|endoftext|>` for."""
    return dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT) if END_OF_TEXT in tokens else {}


def read_lines(path: Path) -> list[list[str]]:
    """The merges of a vocab.bpe or merges.txt, as lists of words, without its version line."""
    lines = read_text(path).split("\n")  # not splitlines: a merge may hold what Unicode takes for a line's end
    return [line.split() for line in lines[lines[0].startswith("#version") :] if line.strip()]


def parse_ids(values: Mapping[str, Any], path: Path) -> dict[str, int]:
    """Take the ids of all tokens; raises UserError unless they are different counts, with one for every byte."""
    for token, number in values.items():
        if type(number) is not int or not 0 <= number < LARGEST_ID:
            raise UserError(f"{path}: {quote(token)} has the id {quote(number)}, not a count")
    if len(set(values.values())) < len(values):
        raise UserError(f"{path}: two tokens have the same id; is it the file of this checkpoint?")
    missing = sorted(set(ByteLevel.alphabet()) - values.keys())
    if missing:
        raise UserError(f"{path}: has no token for {len(missing)} of the 256 bytes, so it is no byte-level BPE")
    return dict(sorted(values.items(), key=lambda item: item[1]))


def parse_merges(pairs: Iterable[Any], ids: Mapping[str, int], path: Path) -> tuple[Merge, ...]:
    """Take pairs of tokens; raises UserError unless both, and what they make, are tokens."""
    merges = []
    for number, pair in enumerate(pairs):
        if isinstance(pair, str):
            pair = pair.split(" ")
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(word, str) for word in pair):
            raise UserError(f"{path}: merge {number}, {quote(pair)}, is not two tokens")
        if not {*pair, "".join(pair)} <= ids.keys():
            raise UserError(f"{path}: merge {number}, {quote(' '.join(pair))}, is of tokens that the vocabulary lacks")
        merges.append((pair[0], pair[1]))
    check_complete(ids, merges, path)
    return tuple(merges)


def check_complete(ids: Mapping[str, int], merges: Iterable[Merge], path: Path) -> None:
    """Raises UserError where many tokens can never come about, as when the file of the merges was cut off."""
    made = {first + second for first, second in merges}
    unmade = [token for token in ids if len(token) > 1 and token not in made and not token.startswith("<|")]
    if len(unmade) > FEW * len(ids):
        count = f"{len(unmade)} of the {len(ids)} tokens have no merge that makes them"
        raise UserError(f"{path}: {count}; is the file complete?")
