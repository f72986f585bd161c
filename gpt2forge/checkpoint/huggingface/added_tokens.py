"""The special and added tokens of a Hugging Face directory, in every form that transformers 2 to 5 wrote them.

The order and precedence are those of transformers 5 (`PreTrainedTokenizerBase._from_pretrained` and
`TokenizersBackend.__init__`), because the order decides the ids of tokens that are not in the vocabulary:

1. `added_tokens_decoder` of tokenizer_config.json lists all added tokens with their ids. Only where it is missing do
   special_tokens_map.json, added_tokens.json and the `added_tokens` of tokenizer.json count.
2. Added tokens come first, by id; then the tokens of the roles, in the order of ROLES; then other special tokens.
3. A token is a string, or an object with `content` and flags.
4. A token of added_tokens.json that only `additional_special_tokens` of special_tokens_map.json names is not special.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.checkpoint.vocabulary import LARGEST_ID
from gpt2forge.errors import UserError

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
EXTRA = ("extra_special_tokens", "additional_special_tokens")
INTEGER = re.compile(r"\d{1,10}", re.ASCII)

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Token:
    """A token with those of FLAGS that a file gives; `is_text` if the file gives only its content."""

    content: str
    flags: Mapping[str, bool]
    is_text: bool = False


@dataclass(frozen=True)
class AddedTokens:
    """The tokens to add to a vocabulary: those with ids, those with roles, and other special tokens; and the roles."""

    numbered: tuple[Token, ...]
    named: tuple[Token, ...]
    others: tuple[Token, ...]
    roles: Mapping[str, str | None]

    def list_new(self, there: Iterable[str]) -> list[Token]:
        """List the tokens to add to a tokenizer that has added the tokens `there` before.

        What has an id or is there keeps its flags. Others with equal content stay, as the library tokenizers lets the
        last one set the flags; but an exact repetition is no new token, so it is not the last one.
        """
        settled = {*there, *(token.content for token in self.numbered)}
        listed: list[Token] = []
        listed += (each for each in (*self.named, *self.others) if each not in listed)
        return [*self.numbered, *(token for token in listed if token.content not in settled)]


def read_added_tokens(
    config: Values, special: Values, added: Values, serialized: Iterable[Any], *, folder: Path, defaults: Values
) -> AddedTokens:
    """Merge what the files of a tokenizer say about its added tokens.

    `config`, `special` and `added` are the values of tokenizer_config.json, special_tokens_map.json and
    added_tokens.json; `serialized` are the `added_tokens` of tokenizer.json; `defaults` are roles that hold unless a
    file names others. Raises UserError for a token without content or id.
    """
    path = folder / "tokenizer_config.json"
    has_decoder = isinstance(config.get("added_tokens_decoder"), dict)
    values = {**defaults, **config} if has_decoder else {**defaults, **config, **mark_special(special)}
    roles = {role: values[role] for role in list_roles(values)}
    extra = list_extra(config, {} if has_decoder else special)
    if has_decoder:
        numbered = dict(parse_decoder(config["added_tokens_decoder"], path))
    else:
        named_here = [*roles.values(), *list_extra(config, {EXTRA[0]: special.get(EXTRA[0])})]
        names = {parse_token(token, path).content for token in named_here if token is not None}
        numbered = dict(parse_old(added, names, folder / "added_tokens.json"))
        numbered |= dict(parse_serialized(serialized, folder / "tokenizer.json"))
    known = {token.content: token for token in numbered.values()}
    named = {role: None if token is None else parse_token(token, path) for role, token in roles.items()}
    named = {role: None if token is None else known.get(token.content, token) for role, token in named.items()}
    others = [parse_token(token, path) for token in extra]
    contents = {token.content for token in named.values() if token}

    def mark(token: Token) -> Token:
        return make_special(token) if token.content in contents else token

    return AddedTokens(
        numbered=tuple(mark(token) for _, token in sorted(numbered.items(), key=lambda item: item[0])),
        named=tuple(make_special(token) for token in named.values() if token),
        others=tuple(mark(token) for token in others),
        roles={role: None if token is None else token.content for role, token in named.items() if role in ROLES},
    )


def mark_special(values: Values) -> dict[str, Any]:
    """Return special_tokens_map.json with `special` set on every token, whatever the file says."""
    return {
        key: {**value, "special": True} if isinstance(value, dict) and key not in EXTRA else value
        for key, value in values.items()
    }


def list_roles(values: Values) -> list[str]:
    """List the keys that name a token: ROLES first, then others that end in `_token`."""
    others = [key for key, value in values.items() if key.endswith("_token") and key not in ROLES and is_token(value)]
    return [*(role for role in ROLES if role in values), *others]


def list_extra(config: Values, special: Values) -> list[Any]:
    """List the special tokens without a role.

    Those of tokenizer_config.json come first. `additional_special_tokens`, the old name, counts in
    special_tokens_map.json only if nothing else lists any.
    """
    first, second = (list_values(config.get(key)) for key in EXTRA)
    found = [*(first or second)]
    found += [each for each in list_values(special.get(EXTRA[0])) if each not in found]
    return found or list_values(special.get(EXTRA[1]))


def list_values(value: Any) -> list[Any]:
    """Return the tokens that a list, or an object {name: token}, holds."""
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def parse_decoder(values: Values, path: Path) -> Iterator[tuple[int, Token]]:
    """Yield the tokens of `added_tokens_decoder`, {id: token}."""
    for key, value in values.items():
        if not INTEGER.fullmatch(key) or not int(key) < LARGEST_ID:
            raise UserError(f"{path}: `added_tokens_decoder` has the key {quote_untrusted(key)}, which is no id")
        yield int(key), parse_token(value, path)


def parse_old(values: Values, special: set[str], path: Path) -> Iterator[tuple[int, Token]]:
    """Yield the tokens of added_tokens.json, {token: id}; those that are no special tokens are normalized."""
    for content, number in values.items():
        if type(number) is not int or not 0 <= number < LARGEST_ID or not content:
            raise UserError(f"{path}: the added token {quote_untrusted(content)} has no id and content")
        is_special = content in special
        yield number, Token(content, {"normalized": not is_special, "special": is_special})


def parse_serialized(rows: Iterable[Any], path: Path) -> Iterator[tuple[int, Token]]:
    """Yield the tokens of `added_tokens` in tokenizer.json, a list of {id, content, ...}."""
    for row in rows:
        number = row.get("id") if isinstance(row, dict) else None
        if type(number) is not int or not 0 <= number < LARGEST_ID or not row.get("content"):
            raise UserError(f"{path}: the added token {quote_untrusted(row)} has no id and content")
        yield number, parse_token(row, path)


def parse_token(value: Any, path: Path) -> Token:
    """Parse a token by rule 3. Raises UserError for anything else."""
    content = value.get("content") if isinstance(value, dict) else value
    if not isinstance(content, str) or not content:
        raise UserError(f"{path}: {quote_untrusted(value)} is given as a token, but it has no content")
    flags = value if isinstance(value, dict) else {"special": True}
    kept = {flag: flags[flag] for flag in FLAGS if type(flags.get(flag)) is bool}
    return Token(content, kept, is_text=isinstance(value, str))


def is_token(value: Any) -> bool:
    """Return whether a value can be parsed as a token."""
    content = value.get("content") if isinstance(value, dict) else value
    return isinstance(content, str) and bool(content)


def make_special(token: Token) -> Token:
    return replace(token, flags={**token.flags, "special": True})
