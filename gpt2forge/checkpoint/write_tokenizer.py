"""Writes the files of a tokenizer that AutoTokenizer, transformers.js and onnxruntime-genai load."""

import json
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer


def write_tokenizer(tokenizer: SourceTokenizer, positions: int, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json, special_tokens_map.json and the chat template, if there is one.

    Of byte-level BPE, write vocab.json and merges.txt too. `positions` is the model's context length in tokens.
    """
    if tokenizer.merges is not None:
        merges = "".join(f"{left} {right}\n" for left, right in tokenizer.merges)
        write_json(folder / "vocab.json", dict(tokenizer.ids), compact=True)
        (folder / "merges.txt").write_bytes(f"#version: 0.2\n{merges}".encode())
    (folder / "tokenizer.json").write_bytes(tokenizer.text.encode())
    write_json(folder / "tokenizer_config.json", describe_tokenizer(tokenizer, positions))
    roles = {role: token for role, token in tokenizer.roles.items() if token is not None}
    extra = tokenizer.settings.get("additional_special_tokens")
    write_json(folder / "special_tokens_map.json", {**roles, **({"additional_special_tokens": extra} if extra else {})})
    if set(tokenizer.templates) == {"default"}:  # beside a list, transformers would read the file alone
        (folder / "chat_template.jinja").write_bytes(tokenizer.templates["default"].encode())


def describe_tokenizer(tokenizer: SourceTokenizer, positions: int) -> dict[str, Any]:
    """Return the values of tokenizer_config.json."""
    # transformers makes a role's token special if it is listed; one that is not special must stay so.
    roles = set(tokenizer.roles.values())
    added = [
        each for each in json.loads(tokenizer.text)["added_tokens"] if each["special"] or each["content"] not in roles
    ]
    decoder = {str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in added}
    is_gpt2 = tokenizer.merges is not None
    return {
        "clean_up_tokenization_spaces": False,
        "model_max_length": positions,
        **({"add_prefix_space": False, "errors": "replace"} if is_gpt2 else {}),
        **tokenizer.settings,
        **tokenizer.roles,
        **describe_templates(tokenizer),
        "added_tokens_decoder": decoder,
        "tokenizer_class": "GPT2Tokenizer" if is_gpt2 else "PreTrainedTokenizerFast",
    }


def describe_templates(tokenizer: SourceTokenizer) -> dict[str, Any]:
    """Return the chat templates as tokenizer_config.json holds them: one as text, several as a list."""
    templates = tokenizer.templates
    if not templates:
        return {}
    if set(templates) == {"default"}:
        return {"chat_template": templates["default"]}
    return {"chat_template": [{"name": name, "template": text} for name, text in sorted(templates.items())]}


def write_json(path: Path, value: dict[str, Any], compact: bool = False) -> None:
    """Write an object as ASCII JSON: sorted and indented, or compact in its own order."""
    layout: dict[str, Any] = {"separators": (",", ":")} if compact else {"indent": 2, "sort_keys": True}
    path.write_bytes(json.dumps(value, **layout).encode() + b"\n")
