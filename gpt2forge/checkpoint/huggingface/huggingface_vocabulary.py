"""Reads the tokenizer of a Hugging Face directory: tokenizer.json, or vocab.json and merges.txt."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.checkpoint.vocabulary import (
    END_OF_TEXT,
    LARGEST_ID,
    Added,
    Vocabulary,
    list_default_roles,
    parse_ids,
    parse_merges,
    read_lines,
)
from gpt2forge.errors import UserError

BESIDE = ("special_tokens_map.json", "tokenizer_config.json", "added_tokens.json")
ROLES = ("bos_token", "eos_token", "unk_token", "pad_token")
SETTINGS = {"chat_template": str, "padding_side": str}
INTEGER = re.compile(r"\d{1,10}", re.ASCII)
FLAGS = tuple(field.name for field in fields(Added) if field.name not in ("id", "content"))

# The values in tokenizer.json that GPT-2's byte-level BPE requires; each key but the first may be absent.
FIXED: tuple[tuple[tuple[str, ...], tuple[Any, ...]], ...] = (
    (("pre_tokenizer", "type"), ("ByteLevel",)),
    (("normalizer",), (None,)),
    (("pre_tokenizer", "add_prefix_space"), (False,)),
    (("pre_tokenizer", "use_regex"), (True,)),
    (("post_processor", "type"), ("ByteLevel", "TemplateProcessing")),
    (("post_processor", "single"), ([{"Sequence": {"id": "A", "type_id": 0}}],)),  # adds nothing around the text
    (("model", "type"), ("BPE",)),
    (("model", "dropout"), (None, 0, 0.0)),
    (("model", "continuing_subword_prefix"), (None, "")),
    (("model", "end_of_word_suffix"), (None, "")),
    (("model", "byte_fallback"), (False,)),
    (("model", "ignore_merges"), (False,)),
)


def read_huggingface_vocabulary(checkpoint: Checkpoint) -> Vocabulary:
    """Read the tokenizer as transformers would. Raises UserError if it is not the byte-level BPE of GPT-2."""
    names, folder = set(checkpoint.files), checkpoint.folder
    beside = {name: read_object(folder / name) for name in names if name in BESIDE}
    whole = folder / "tokenizer.json"
    plain = read_tokenizer_json(whole) if whole.name in names else read_pair(folder, beside)
    given: dict[str, str] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        given |= parse_roles(beside.get(name, {}))
    roles = list_default_roles(plain.ids) | given
    for role, token in roles.items():
        if plain.find(token) is None:
            unknown = f"the tokenizer's {role} {quote_untrusted(token)} is not one of its tokens"
            raise UserError(f"{folder}: {unknown}; save the tokenizer again")
    settings = beside.get("tokenizer_config.json", {})
    kept = {key: settings[key] for key, kind in SETTINGS.items() if isinstance(settings.get(key), kind)}
    return replace(plain, roles=roles, settings=kept)


def read_tokenizer_json(path: Path) -> Vocabulary:
    """Read a tokenizer.json. Raises UserError if it splits or joins text differently from GPT-2."""
    values = read_object(path)
    for keys, allowed in FIXED:
        exists, value = find_value(values, keys)
        if (exists or keys == FIXED[0][0]) and value not in allowed:
            found = f"`{'.'.join(keys)}` is {quote_untrusted(value)}"
            raise UserError(f"{path}: {found}, so it is not GPT-2's byte-level BPE")
    model, added = values.get("model"), values.get("added_tokens", [])
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict) or not isinstance(added, list):
        raise UserError(f"{path}: has no `model.vocab`; is it a tokenizer's file?")
    ids = parse_ids(model["vocab"], path)
    merges = model.get("merges")
    if not isinstance(merges, list):
        raise UserError(f"{path}: has no `model.merges`; is it a tokenizer's file?")
    return Vocabulary(ids, parse_merges(merges, ids, path), parse_added(added, path), {})


def read_pair(folder: Path, beside: Mapping[str, Mapping[str, Any]]) -> Vocabulary:
    """Read vocab.json and merges.txt, and the added tokens from the files of old versions of transformers."""
    ids = parse_ids(read_object(folder / "vocab.json"), folder / "vocab.json")
    merges = parse_merges(read_lines(folder / "merges.txt"), ids, folder / "merges.txt")
    decoder = beside.get("tokenizer_config.json", {}).get("added_tokens_decoder")
    if isinstance(decoder, dict):
        rows = [
            {**row, "id": int(key)} for key, row in decoder.items() if isinstance(row, dict) and INTEGER.fullmatch(key)
        ]
        return Vocabulary(ids, merges, parse_added(rows, folder / "tokenizer_config.json"), {})
    rows = [{"id": number, "content": token} for token, number in beside.get("added_tokens.json", {}).items()]
    if END_OF_TEXT in ids:
        rows.append({"id": ids[END_OF_TEXT], "content": END_OF_TEXT})
    return Vocabulary(ids, merges, parse_added(rows, folder / "added_tokens.json"), {})


def parse_added(rows: list[Any], path: Path) -> tuple[Added, ...]:
    """Parse rows like those of `added_tokens` in tokenizer.json; return the tokens in order of their ids."""
    tokens = {}
    for row in rows:
        number, content = (row.get("id"), row.get("content")) if isinstance(row, dict) else (None, None)
        if type(number) is not int or not 0 <= number < LARGEST_ID or not isinstance(content, str) or not content:
            raise UserError(f"{path}: the added token {quote_untrusted(row)} has no id and content")
        tokens[content] = Added(number, content, **{flag: row[flag] for flag in FLAGS if type(row.get(flag)) is bool})
    return tuple(sorted(tokens.values(), key=lambda token: token.id))


def parse_roles(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the token of each role. A file holds a token as a string, or as an object with the key `content`."""
    tokens = {role: values[role] for role in ROLES if role in values}
    plain = {role: token.get("content") if isinstance(token, dict) else token for role, token in tokens.items()}
    return {role: token for role, token in plain.items() if isinstance(token, str)}


def find_value(values: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[bool, Any]:
    """Return whether there is a value below these keys, and the value; a value in the way counts as found."""
    value: Any = values
    for key in keys:
        if not isinstance(value, dict):
            return value is not None, value
        if key not in value:
            return False, None
        value = value[key]
    return True, value
