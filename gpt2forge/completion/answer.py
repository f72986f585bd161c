"""Answers `gpt2forge __complete WORD...`: how the last word may go on. The shells' scripts run it at each tab.

1. commands.json says which words may stand where; tools/generate_docs.py writes it from the commands themselves.
2. Names of recipes come from the names of files. Only a word with `@` reads a recipe, for its variants.
3. `:files` and `:folders` leave it to the shell to complete a path.
4. There is never an error: what cannot be answered has no answer.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "commands.json")
FILES, FOLDERS = ":files", ":folders"
PATHS = {"file": FILES, "folder": FOLDERS}
Node = dict[str, Any]
"""A command in the table: `commands` or `arguments` (kinds, the last one repeats), and `options` (kinds by name)."""


def print_answer(words: Sequence[str]) -> None:
    """Print one answer a line, to stdout (rule 4)."""
    with suppress(Exception):
        lines = sorted(set(answer(words)))
        sys.stdout.write("".join(f"{line}\n" for line in lines if line.isprintable()))
        sys.stdout.flush()


def answer(words: Sequence[str]) -> Iterator[str]:
    """Yield how the last of the words behind `gpt2forge` may go on; it may be empty."""
    with open(TABLE, encoding="utf-8") as file:
        table = json.load(file)
    *before, current = words or [""]
    kind, offered = find_expected(table, before, current)
    if current.startswith("--") and "=" in current and kind is None:
        yield from complete_option(table, before, current)
    for word in (*offered, *(list_values(kind, current, table) if kind else ())):
        if word.startswith((current, ":")):
            yield word


def find_expected(table: Node, before: Sequence[str], current: str) -> tuple[str | None, list[str]]:
    """Return the kind of value that is expected, and the words that may stand instead."""
    node, pending, position = walk(table["program"], before)
    if pending:
        return pending, []
    if current.startswith("-"):
        return None, list(node["options"])
    if "commands" in node:
        return None, list(node["commands"])
    kinds = node["arguments"]
    return kinds[min(position, len(kinds) - 1)] if kinds and (position < len(kinds) or node["repeats"]) else None, []


def walk(node: Node, words: Sequence[str]) -> tuple[Node, str | None, int]:
    """Return the command that the words call, the kind of value that an option waits for, and how many arguments."""
    pending, position = None, 0
    for word in words:
        if pending:
            pending = None
        elif word.startswith("-") and word != "-":
            pending = node["options"].get(word)
        elif "commands" in node:
            node = node["commands"][word]
        else:
            position += 1
    return node, pending, position


def complete_option(table: Node, before: Sequence[str], current: str) -> Iterator[str]:
    """Yield the values of `--option=`."""
    name, _, value = current.partition("=")
    node, _, _ = walk(table["program"], before)
    kind = node["options"].get(name)
    for word in list_values(kind, value, table) if kind else ():
        if word.startswith(value):
            yield f"{name}={word}"


def list_values(kind: str, current: str, table: Node) -> Iterator[str]:
    """Yield the values of a kind."""
    if kind in PATHS:
        yield PATHS[kind]
    elif kind in ("recipe", "result"):
        yield from list_names(kind, current)
    elif kind == "measuring":
        head = current[: current.rfind(",") + 1]
        yield from (f"{head}{name}" for name in table["measuring"])
    else:
        yield from table.get(kind, ())


def list_names(kind: str, current: str) -> Iterator[str]:
    """Yield the names of recipes (rule 2), and of results for a command that reads these."""
    if "/" in current:
        yield FILES
        return
    stem, at, _ = current.rpartition("@")
    if at:
        yield from list_variants(stem)
    yield from (name.removesuffix(".yaml") for name in list_folder("recipes") if name.endswith(".yaml"))
    if kind == "result":
        yield from (name for name in list_folder("build") if os.path.isdir(os.path.join("build", name)))


def list_variants(stem: str) -> list[str]:
    """List the variants of a recipe by their whole names."""
    from gpt2forge.errors import UserError
    from gpt2forge.recipe.lookup import locate, read_recipe

    with suppress(UserError, OSError, ValueError):  # of a file that is gone or cannot be read
        return [found.name for found in read_recipe(locate(stem), [])]
    return []


def list_folder(folder: str) -> list[str]:
    """List the names in a folder that are not hidden; none if it is not there."""
    with suppress(OSError):
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    return []
