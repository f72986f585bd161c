"""Chooses the tokens that begin, end and pad a text.

1. generation_config.json counts first, as transformers has it, then config.json, then the tokenizer's role.
2. Several tokens may end a text; one begins and one pads it.
3. An id outside the vocabulary is left out and noted. GPT2Config's default, 50256, is outside a small vocabulary.
4. No token is invented. Without an end, text runs to its limit; without a beginning, a prompt must not be empty.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.errors import UserError

BEGIN, END, PAD = "bos_token_id", "eos_token_id", "pad_token_id"
ROLES = {BEGIN: "bos_token", END: "eos_token", PAD: "pad_token"}
"""The keys of config.json and generation_config.json, with the roles of a tokenizer that mean the same."""

FIRST, SECOND = "generation_config.json", "config.json"
ENDLESS = "no token ends a text, so generation runs to its limit; `eos_token_id` in generation_config.json can name one"


@dataclass(frozen=True)
class Named:
    """The ids that each file names under one key, in the order in which files count, and the id by the role."""

    key: str
    files: Mapping[str, tuple[int, ...]]
    role: int | None = None


def read_named(folder: Path, key: str) -> Named:
    """Read what config.json, and generation_config.json if it exists, name under one key.

    Raises UserError if a value is no id, or if config.json is no JSON object.
    """
    paths = [*(path for path in [folder / FIRST] if path.is_file()), folder / SECOND]
    return Named(key, {path.name: read_ids(read_object(path), key, path) for path in paths})


def read_all_named(folder: Path) -> tuple[Named, ...]:
    """Read what the files of a folder name under each key of ROLES. Raises UserError as `read_named` does."""
    return tuple(read_named(folder, key) for key in ROLES)


def read_ids(values: Mapping[str, Any], key: str, path: Path) -> tuple[int, ...]:
    """Return the ids under a key, without repeats; none if it is absent or null.

    Raises UserError if the value is neither an id nor, for the end of a text, a list of ids.
    """
    value = values.get(key)
    if value is None:
        return ()
    ids = value if key == END and isinstance(value, list) else [value]
    if not all(type(number) is int for number in ids):
        expected = "neither the id of a token nor a list of ids" if key == END else "not the id of a token"
        raise UserError(f"{path}: {quote_untrusted(f'{key}: {value}')} is {expected}")
    return tuple(dict.fromkeys(ids))


def keep_inside(ids: tuple[int, ...], vocabulary: int) -> tuple[int, ...]:
    """Return the ids of a vocabulary of this many tokens."""
    return tuple(number for number in ids if 0 <= number < vocabulary)


def take_first(ids: tuple[int, ...]) -> int | None:
    return ids[0] if ids else None


def choose_ids(named: Named, vocabulary: int) -> tuple[int, ...]:
    """Return the ids of the first place that names any inside the vocabulary."""
    places = (*named.files.values(), () if named.role is None else (named.role,))
    inside = (keep_inside(ids, vocabulary) for ids in places)
    return next((ids for ids in inside if ids), ())


def list_outside(named: Named, vocabulary: int) -> Iterator[str]:
    """Yield a note for each id of a file that is outside the vocabulary. The tokenizer has notes of its own."""
    outside: dict[int, list[str]] = {}
    for name, ids in named.files.items():
        for number in set(ids) - set(keep_inside(ids, vocabulary)):
            outside.setdefault(number, []).append(name)
    for number, names in sorted(outside.items()):
        value, where = quote_untrusted(f"{named.key}: {number}"), " and ".join(names)
        yield f"{value} in {where} is outside the vocabulary of {vocabulary} tokens and is left out"
