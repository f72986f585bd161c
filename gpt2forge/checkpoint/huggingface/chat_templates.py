"""Reads the chat templates of a Hugging Face directory as transformers does.

1. chat_template.jinja holds the default one, additional_chat_templates/NAME.jinja one by another name.
2. Without these files, `chat_template` of tokenizer_config.json counts: a text, a list of {name, template}, or an
   object {name: template}.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from gpt2forge.checkpoint.untrusted_text import read_text

TEMPLATE, FOLDER, SUFFIX = "chat_template.jinja", "additional_chat_templates", ".jinja"


def is_template(name: str) -> bool:
    """Return whether a file is a chat template, by its name in the directory."""
    return name == TEMPLATE or (name.startswith(f"{FOLDER}/") and name.endswith(SUFFIX) and name.count("/") == 1)


def list_template_names(folder: Path) -> set[str]:
    """Return the names of the files of additional chat templates, by their paths from the folder."""
    place = folder / FOLDER
    found = (path for path in place.iterdir() if path.is_file()) if place.is_dir() else ()
    return {name for path in found if is_template(name := f"{FOLDER}/{path.name}")}


def read_templates(folder: Path, names: Iterable[str], config: Mapping[str, Any]) -> dict[str, str]:
    """Return the chat templates by name; `config` are the values of tokenizer_config.json."""
    files = sorted(name for name in names if is_template(name))
    if files:
        return {"default" if name == TEMPLATE else PurePosixPath(name).stem: read_text(folder / name) for name in files}
    found = config.get("chat_template")
    if isinstance(found, str):
        return {"default": found}
    if isinstance(found, dict):
        found = [{"name": name, "template": text} for name, text in found.items()]
    rows = found if isinstance(found, list) else []
    return {
        row["name"]: row["template"]
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("name"), str) and isinstance(row.get("template"), str)
    }
