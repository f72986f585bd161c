"""Reads the tokenizer of a Hugging Face directory as transformers loads it.

The class decides which files count and how, see `tokenizer_class`. Truncation and padding belong to a call, not to the
tokenizer, and are taken out; their sides are kept.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.huggingface.added_tokens import AddedTokens, read_added_tokens
from gpt2forge.checkpoint.huggingface.charsmap import find_in_normalizer, is_cut_off
from gpt2forge.checkpoint.huggingface.chat_templates import is_template, read_templates
from gpt2forge.checkpoint.huggingface.sentencepiece_tokenizer import SENTENCEPIECE, save_again
from gpt2forge.checkpoint.huggingface.tokenizer_class import CONFIG, WHOLE, find_class, refuse_vocabulary
from gpt2forge.checkpoint.huggingface.tokenizer_kinds import Kind, Words, read_ids
from gpt2forge.checkpoint.locate import list_names
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, raise_unless_library
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.checkpoint.vocabulary import list_default_roles
from gpt2forge.errors import UserError

if TYPE_CHECKING:  # finding a checkpoint imports this module
    from tokenizers import Tokenizer

SPECIAL, ADDED = "special_tokens_map.json", "added_tokens.json"
TOKENIZER_FILES = (WHOLE, CONFIG, SPECIAL, ADDED, "vocab.json", "merges.txt", "vocab.txt", *SENTENCEPIECE)
SETTINGS: Mapping[str, type | tuple[type, ...]] = {
    "padding_side": str,
    "truncation_side": str,
    "model_max_length": (int, float),
    "clean_up_tokenization_spaces": bool,
    "add_prefix_space": bool,
    "add_bos_token": bool,
    "add_eos_token": bool,
    "split_special_tokens": bool,
    "model_input_names": list,
}
"""The values of tokenizer_config.json that are kept, with their types."""

Values = Mapping[str, Any]


def read_huggingface_tokenizer(checkpoint: Checkpoint) -> SourceTokenizer:
    """Read the tokenizer of a checkpoint. Raises UserError if its files are damaged or contradict each other."""
    return read_tokenizer_files(checkpoint.folder, set(checkpoint.files))


def read_tokenizer_files(folder: Path, names: set[str], alone: str | None = None) -> SourceTokenizer:
    """Read the tokenizer in a folder, from those of `names` that belong to a tokenizer.

    `alone` is the name of a tokenizer.json that nothing beside it describes: it is taken as it is.
    Raises UserError if the files are damaged or contradict each other.
    """
    if alone is None and WHOLE not in names and not names.isdisjoint(SENTENCEPIECE):
        return read_sentencepiece(folder, names)
    beside = {name: read_object(folder / name) if name in names else {} for name in (CONFIG, SPECIAL, ADDED)}
    whole = read_object(folder / (alone or WHOLE)) if (alone or WHOLE) in names else None
    config = beside[CONFIG]
    found_class = find_class(folder, names, whole)
    if whole is None:
        refuse_vocabulary(folder, names, found_class)
    kind = None if alone else found_class.reader
    serialized = list_serialized(whole, folder)
    added = read_added_tokens(
        config,
        beside[SPECIAL],
        beside[ADDED],
        serialized,
        folder=folder,
        defaults=kind.roles if kind else {**read_padding(whole), **(list_roles_of(serialized) if alone else {})},
    )
    values, words = read_model(folder, whole, config, kind)
    tokenizer = load_tokenizer(values, added, folder)
    if kind is not None and (whole is None or not kind.keeps_processor):
        kind.surround(tokenizer, config, added.roles)
    found = SourceTokenizer(
        text=tokenizer.to_str(),
        ids=words.ids,
        added={token.content: number for number, token in tokenizer.get_added_tokens_decoder().items()},
        merges=words.merges,
        roles=added.roles,
        settings={**read_sides(whole), **read_settings(config, added)},
        templates=read_templates(folder, names, config),
    )
    return found.read_special_as_text() if config.get("split_special_tokens") is True else found


def read_sentencepiece(folder: Path, names: set[str]) -> SourceTokenizer:
    """Read a vocabulary of sentencepiece. Raises UserError if it is damaged, or if what reads it is not installed."""
    with TemporaryDirectory() as name:
        place = Path(name)
        save_again(folder, names, place)
        return read_tokenizer_files(place, list_tokenizer_names(list_names(place)))


def list_tokenizer_names(names: Iterable[str]) -> set[str]:
    """Return those of a directory's files that are a tokenizer's."""
    return {name for name in names if name in TOKENIZER_FILES or is_template(name)}


def list_serialized(values: Values | None, folder: Path) -> list[Any]:
    rows = [] if values is None else values.get("added_tokens", [])
    if not isinstance(rows, list):
        raise UserError(f"{folder / 'tokenizer.json'}: `added_tokens` is not a list; is it a tokenizer's file?")
    return rows


def read_model(folder: Path, whole: Values | None, config: Values, kind: Kind | None) -> tuple[dict[str, Any], Words]:
    """Return the tokenizer.json without the tokens that other files add, and its vocabulary (rules 2 to 4)."""
    if whole is None:
        assert kind is not None
        words = kind.read_files(folder)
        return kind.describe(words, config), words
    path, model = folder / "tokenizer.json", whole.get("model")
    if not isinstance(model, dict):
        raise UserError(f"{path}: has no `model.vocab`; is it a tokenizer's file?")
    if kind is None:
        # Dropout makes BPE choose other merges each time, which is for training only.
        kept = {**model, "dropout": None} if "dropout" in model else model
        return {**whole, "truncation": None, "padding": None, "model": kept}, Words(read_ids(model, path))
    words, processor = kind.read_model(model, path), whole.get("post_processor")
    is_kept = kind.keeps_processor and isinstance(processor, dict)
    return {**kind.describe(words, config), **({"post_processor": processor} if is_kept else {})}, words


def load_tokenizer(values: Values, added: AddedTokens, folder: Path) -> "Tokenizer":
    """Load a tokenizer.json and add tokens to it. Raises UserError if the library tokenizers cannot load it."""
    from tokenizers import AddedToken, Tokenizer

    if any(is_cut_off(table) for table in find_in_normalizer(values.get("normalizer"))):
        raise UserError(f"{folder}: the tokenizer's `precompiled_charsmap` is cut off; save it again")
    try:
        tokenizer = Tokenizer.from_str(json.dumps(values))
        there = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        tokenizer.add_tokens([AddedToken(token.content, **token.flags) for token in added.list_new(there)])
    except BaseException as error:  # the library raises Exception itself, and its panics are no Exception
        raise_unless_library(error)
        reason = quote_untrusted(" ".join(str(error).split()))
        raise UserError(f"{folder}: the tokenizer cannot be loaded: {reason}; save it again") from error
    return tokenizer


def read_sides(whole: Values | None) -> dict[str, str]:
    """Return the sides of truncation and padding that a tokenizer.json holds (rule 4)."""
    found = {}
    for key, side in (("truncation", "truncation_side"), ("padding", "padding_side")):
        part = (whole or {}).get(key)
        if isinstance(part, dict) and isinstance(part.get("direction"), str):
            found[side] = part["direction"].lower()
    return found


def list_roles_of(serialized: list[Any]) -> dict[str, str]:
    """Return the roles that transformers' GPT-2 tokenizer gives to `<|endoftext|>`, if that is an added token."""
    return list_default_roles(str(row.get("content")) for row in serialized if isinstance(row, dict))


def read_padding(whole: Values | None) -> dict[str, str]:
    """Return the role of the token that a tokenizer.json pads with."""
    part = (whole or {}).get("padding")
    token = part.get("pad_token") if isinstance(part, dict) else None
    return {"pad_token": token} if isinstance(token, str) and token else {}


def read_settings(config: Values, added: AddedTokens) -> dict[str, Any]:
    """Return the values of tokenizer_config.json that are kept."""
    extra = [token.content for token in added.others]
    kept = {key: config[key] for key, kind in SETTINGS.items() if isinstance(config.get(key), kind)}
    return {**kept, **({"additional_special_tokens": extra} if extra else {})}
