"""The tokenizer of a checkpoint, as a tokenizer.json and what tokenizer_config.json holds beside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.checkpoint.vocabulary import Merge, Vocabulary
from gpt2forge.errors import UserError

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
FEWEST = 2  # tokens of a vocabulary that can hold a text
FEW_NAMES = 3  # tokens that a message names


@dataclass(frozen=True)
class SourceTokenizer:
    """A tokenizer that `tokenizers.Tokenizer.from_str(text)` loads.

    `ids` are the tokens of its model, `added` those that it finds in a text before it splits it. `merges` is None
    unless the tokenizer is GPT-2's byte-level BPE, which vocab.json and merges.txt describe too. `roles` maps a role
    to its token (`eos_token`: `<|endoftext|>`), or to None where the source says that there is none. `settings` are
    other values for tokenizer_config.json; `templates` are chat templates by name, `default` among them. `hidden` are
    added tokens that are read as ordinary text.
    """

    text: str
    ids: Mapping[str, int]
    added: Mapping[str, int]
    merges: tuple[Merge, ...] | None
    roles: Mapping[str, str | None]
    settings: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, int] = field(default_factory=dict)

    def read_special_as_text(self) -> "SourceTokenizer":
        """Return the tokenizer that reads special tokens in a text as ordinary text, in pieces.

        Trainers of 2019 and 2020 encoded `<|endoftext|>` so. The tokens keep their ids and roles.
        """
        values = json.loads(self.text)
        special = [token["content"] for token in values["added_tokens"] if token["special"]]
        values["added_tokens"] = [token for token in values["added_tokens"] if not token["special"]]
        return replace(
            self,
            text=json.dumps(values, ensure_ascii=False, separators=(",", ":")),
            added={token: number for token, number in self.added.items() if token not in special},
            hidden={token: number for token, number in self.added.items() if token in special},
            settings={**self.settings, "split_special_tokens": True},
        )

    def find(self, token: str | None) -> int | None:
        """Return the id of a token, None if there is no such token."""
        if token is None:
            return None
        return next((ids[token] for ids in (self.added, self.hidden, self.ids) if token in ids), None)

    def describe(self) -> dict[str, Any]:
        """Describe the tokenizer as JSON values."""
        model = json.loads(self.text)["model"]["type"]
        return {
            "kind": "byte-level BPE" if self.merges is not None else model,
            "added": list(self.added),
            "chat_template": bool(self.templates),
        }

    @property
    def size(self) -> int:
        """The largest id plus one."""
        return 1 + max([*self.ids.values(), *self.added.values()], default=-1)

    def list_notes(self, rows: int) -> list[str]:
        """List what a user should know of a tokenizer for a model with this many rows of token embeddings.

        Raises UserError if tokens of the vocabulary itself have no row: then it is another model's tokenizer.
        """
        if self.size < FEWEST:
            raise UserError(f"the tokenizer has {self.size} tokens; is its vocabulary empty? save it again")
        if any(number >= rows for number in self.ids.values()):
            raise UserError(
                f"the tokenizer has ids up to {self.size - 1}, but the model only {rows} tokens; is it the one of this "
                "checkpoint?"
            )
        beyond = sorted((number, token) for token, number in self.added.items() if number >= rows)
        if not beyond:
            return []
        shown = ", ".join(f"{quote_untrusted(token)} ({number})" for number, token in beyond[:FEW_NAMES])
        more = f" and {len(beyond) - FEW_NAMES} more" if len(beyond) > FEW_NAMES else ""
        return [
            f"the tokenizer has {shown}{more}, but the model has rows for {rows} tokens only: it cannot read or write "
            "them; resize the embeddings before fine-tuning, or leave these tokens out of texts"
        ]


def raise_unless_library(error: BaseException) -> None:
    """Raise the error again unless it came from the library tokenizers, whose panics are no Exception."""
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        raise error


def make_from_vocabulary(vocabulary: Vocabulary) -> SourceTokenizer:
    """Make the tokenizer that gives the ids of OpenAI's encoder. Raises UserError if an added token loses its id."""
    from tokenizers import AddedToken, Tokenizer

    values = describe_byte_level(vocabulary.ids, vocabulary.merges, add_prefix_space=False)
    tokenizer = Tokenizer.from_str(json.dumps(values))
    for added in vocabulary.added:
        flags = {name: value for name, value in asdict(added).items() if name not in ("id", "content")}
        tokenizer.add_tokens([AddedToken(added.content, **flags)])
        # tokenizers chooses the id of a token that is not in the vocabulary: the next one after the last.
        if tokenizer.token_to_id(added.content) != added.id:
            name = f"the tokenizer's added token {quote_untrusted(added.content)}"
            raise UserError(f"{name} cannot keep its id {added.id}; number added tokens without gaps")
    return SourceTokenizer(
        text=tokenizer.to_str(),
        ids=vocabulary.ids,
        added={added.content: added.id for added in vocabulary.added},
        merges=vocabulary.merges,
        roles=vocabulary.roles,
        settings=vocabulary.settings,
    )


def describe_byte_level(ids: Mapping[str, int], merges: Sequence[Merge], *, add_prefix_space: bool) -> dict[str, Any]:
    """Return the tokenizer.json of byte-level BPE with GPT-2's regular expression, without added tokens."""
    level = {**BYTE_LEVEL, "add_prefix_space": add_prefix_space}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": {**BYTE_LEVEL, "trim_offsets": False},
        "decoder": BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(ids),
            "merges": [list(merge) for merge in merges],
        },
    }
