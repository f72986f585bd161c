"""Reads the tokenizer of a Hugging Face directory as transformers loads it.

1. The class is `tokenizer_class` of tokenizer_config.json, else of config.json, else GPT2Tokenizer.
2. GPT2Tokenizer is GPT-2's byte-level BPE, whatever else its tokenizer.json says: transformers takes the vocabulary,
   the merges and the post-processor of the file and nothing more. `add_prefix_space` comes from tokenizer_config.json.
3. A tokenizer.json of any other class, or whose model is not BPE, is taken as it is.
4. Truncation and padding belong to a call, not to the tokenizer, and are taken out; their sides are kept.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.huggingface.added_tokens import AddedTokens, read_added_tokens
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, describe_byte_level
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object, read_text
from gpt2forge.checkpoint.vocabulary import END_OF_TEXT, Merge, parse_ids, parse_merges, read_lines
from gpt2forge.errors import UserError

if TYPE_CHECKING:  # finding a checkpoint imports this module
    from tokenizers import Tokenizer

GPT2 = "GPT2Tokenizer"
DEFAULTS = dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT)  # of GPT2Tokenizer
CONFIG, SPECIAL, ADDED = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
TEMPLATE = "chat_template.jinja"
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


def read_tokenizer_files(folder: Path, names: set[str]) -> SourceTokenizer:
    """Read the tokenizer in a folder, from those of `names` that belong to a tokenizer.

    Raises UserError if the files are damaged or contradict each other.
    """
    beside = {name: read_object(folder / name) if name in names else {} for name in (CONFIG, SPECIAL, ADDED)}
    whole = read_object(folder / "tokenizer.json") if "tokenizer.json" in names else None
    config = beside[CONFIG]
    is_gpt2 = find_class(folder, names, config) == GPT2 and (whole is None or find_model(whole) == "BPE")
    added = read_added_tokens(
        config,
        beside[SPECIAL],
        beside[ADDED],
        list_serialized(whole, folder),
        folder=folder,
        defaults=DEFAULTS if is_gpt2 else read_padding(whole),
    )
    values, ids, merges = read_model(folder, whole, config, is_gpt2=is_gpt2)
    tokenizer = load_tokenizer(values, added, folder)
    if whole is None:
        add_start(tokenizer, config, added.roles)
    return SourceTokenizer(
        text=tokenizer.to_str(),
        ids=ids,
        added={token.content: number for number, token in tokenizer.get_added_tokens_decoder().items()},
        merges=merges,
        roles=added.roles,
        settings={**read_sides(whole), **read_settings(config, added)},
        templates=read_templates(folder, names, config),
    )


def find_class(folder: Path, names: set[str], config: Values) -> str:
    """Return the name of the tokenizer's class (rule 1) without the ending `Fast`."""
    other = read_object(folder / "config.json") if "config.json" in names else {}
    name = config.get("tokenizer_class") or other.get("tokenizer_class") or GPT2
    return str(name).removesuffix("Fast")


def find_model(values: Values) -> object:
    """Return the type of the model in a tokenizer.json."""
    model = values.get("model")
    return model.get("type") if isinstance(model, dict) else None


def list_serialized(values: Values | None, folder: Path) -> list[Any]:
    rows = [] if values is None else values.get("added_tokens", [])
    if not isinstance(rows, list):
        raise UserError(f"{folder / 'tokenizer.json'}: `added_tokens` is not a list; is it a tokenizer's file?")
    return rows


def read_model(
    folder: Path, whole: Values | None, config: Values, *, is_gpt2: bool
) -> tuple[dict[str, Any], dict[str, int], tuple[Merge, ...] | None]:
    """Return the tokenizer.json without added tokens, its vocabulary, and its merges if it is GPT-2's."""
    if whole is None:
        ids = parse_ids(read_object(folder / "vocab.json"), folder / "vocab.json")
        merges = parse_merges(read_lines(folder / "merges.txt"), ids, folder / "merges.txt")
        values = describe_byte_level(ids, merges, add_prefix_space=config.get("add_prefix_space") is True)
        return values, ids, merges
    path = folder / "tokenizer.json"
    model = whole.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list):
        raise UserError(f"{path}: has no `model.vocab`; is it a tokenizer's file?")
    ids = parse_ids(list_ids(model["vocab"], path), path)
    if not is_gpt2:
        kept = {**whole, "truncation": None, "padding": None, "model": {**model, **drop_dropout(model)}}
        return kept, ids, None
    if not isinstance(model.get("merges"), list):
        raise UserError(f"{path}: has no `model.merges`; is it a tokenizer's file?")
    merges = parse_merges(model["merges"], ids, path)
    values = describe_byte_level(ids, merges, add_prefix_space=config.get("add_prefix_space") is True)
    processor = whole.get("post_processor")
    return values | ({"post_processor": processor} if isinstance(processor, dict) else {}), ids, merges


def drop_dropout(model: Values) -> dict[str, Any]:
    """Return the change that makes BPE choose the same merges each time, as is right outside training."""
    return {"dropout": None} if "dropout" in model else {}


def list_ids(vocabulary: Any, path: Path) -> dict[str, Any]:
    """Return the ids of a tokenizer.json's vocabulary: an object, or a list of [token, score] in order of the ids."""
    if isinstance(vocabulary, dict):
        return vocabulary
    if not all(isinstance(row, list) and row and isinstance(row[0], str) for row in vocabulary):
        raise UserError(f"{path}: `model.vocab` is not a list of tokens and scores; is it a tokenizer's file?")
    return {row[0]: number for number, row in enumerate(vocabulary)}


def load_tokenizer(values: Values, added: AddedTokens, folder: Path) -> "Tokenizer":
    """Load a tokenizer.json and add tokens to it. Raises UserError if the library tokenizers cannot load it."""
    from tokenizers import AddedToken, Tokenizer

    try:
        tokenizer = Tokenizer.from_str(json.dumps(values))
    except Exception as error:  # the library raises Exception itself
        reason = quote_untrusted(" ".join(str(error).split()))
        raise UserError(f"{folder}: the tokenizer cannot be loaded: {reason}; save it again") from error
    there = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    tokenizer.add_tokens([AddedToken(token.content, **token.flags) for token in added.list_new(there)])
    return tokenizer


def add_start(tokenizer: "Tokenizer", config: Values, roles: Mapping[str, str | None]) -> None:
    """Let the tokenizer put the first token before a text, and the last behind it, if the config asks for it."""
    from tokenizers.processors import TemplateProcessing

    asked = {side: roles.get(f"{side}_token") for side in ("bos", "eos") if config.get(f"add_{side}_token") is True}
    tokens = {side: token for side, token in asked.items() if token is not None}
    if not tokens:
        return
    first, last = ([tokens[side]] if side in tokens else [] for side in ("bos", "eos"))
    tokenizer.post_processor = TemplateProcessing(
        single=[*first, "$A:0", *last],
        pair=[*first, "$A:0", *last, *(f"{token}:1" for token in first), "$B:1", *(f"{token}:1" for token in last)],
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in dict.fromkeys(tokens.values())],
    )


def read_sides(whole: Values | None) -> dict[str, str]:
    """Return the sides of truncation and padding that a tokenizer.json holds (rule 4)."""
    found = {}
    for key, side in (("truncation", "truncation_side"), ("padding", "padding_side")):
        part = (whole or {}).get(key)
        if isinstance(part, dict) and isinstance(part.get("direction"), str):
            found[side] = part["direction"].lower()
    return found


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


def read_templates(folder: Path, names: set[str], config: Values) -> dict[str, str]:
    """Return the chat templates by name; a file of its own comes before tokenizer_config.json."""
    if TEMPLATE in names:
        return {"default": read_text(folder / TEMPLATE)}
    found = config.get("chat_template")
    if isinstance(found, str):
        return {"default": found}
    rows = found if isinstance(found, list) else []
    return {
        row["name"]: row["template"]
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("name"), str) and isinstance(row.get("template"), str)
    }
