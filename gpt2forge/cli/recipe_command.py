"""`gpt2forge recipe show`: the whole recipe, parents merged and defaults filled in, and where each value was said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gpt2forge.cli import console
from gpt2forge.recipe.load import LoadedRecipe, load_recipes
from gpt2forge.recipe.schema import has_section
from gpt2forge.recipe.yaml import Node, write_value
from gpt2forge.stages.stage import Section

INDENT = "  "
DEFAULT = "default"


def show(reference: str, with_origin: bool, as_json: bool, changes: Sequence[str], name: str | None) -> None:
    """Write a recipe that stands by itself, as YAML; of one with several variants, which they are.

    With `with_origin` a comment behind each value says its place.
    """
    found = load_recipes([reference], changes, name)
    if len(found) > 1:
        show_several(found, with_origin, as_json)
    else:
        show_one(found[0], with_origin, as_json)


def show_several(found: Sequence[LoadedRecipe], with_origin: bool, as_json: bool) -> None:
    """Write a line for each variant: its name and what it changes, as `--set` would."""
    variants = [(each.recipe.name, each.selected.variant.changes if each.selected.variant else None) for each in found]
    if as_json:
        console.write_json({"recipes": {name: node.plain() if node else {} for name, node in variants}})
        return
    rows = [
        (name, " ".join(say_changes(node, ())) if node else "", f"# {node.place}" if node and with_origin else "")
        for name, node in variants
    ]
    console.write(console.align(rows))


def say_changes(node: Node, path: tuple[str, ...]) -> Iterator[str]:
    """Each value as the words behind a `--set`."""
    if isinstance(node.value, dict) and node.value and has_section(path):  # a key of other mappings may have dots
        for key, child in node.value.items():
            yield from say_changes(child, (*path, key))
    elif node.value is None:
        yield f"~{'.'.join(path)}"
    elif path:
        yield f"{'.'.join(path)}={write_value(node.plain())}"


def show_one(loaded: LoadedRecipe, with_origin: bool, as_json: bool) -> None:
    values = list(list_values(loaded))
    if as_json:
        origins = {".".join(value.keys): value.origin for value in values}
        console.write_json({"recipe": loaded.recipe.model_dump(mode="json"), "origins": origins})
        return
    rows = [(text, f"# {origin}" if origin and with_origin else "") for text, origin in lay_out(values)]
    console.write(console.align(rows))


@dataclass(frozen=True)
class Value:
    """One value of a recipe, as it was said, and where."""

    keys: tuple[str, ...]
    said: Any
    origin: str


def list_values(loaded: LoadedRecipe) -> Iterator[Value]:
    """Every value that counts, defaults among them, in the order of the schema."""
    for keys, value in flatten(loaded.recipe, ()):
        node = loaded.document.find(keys)
        yield Value(keys, value, DEFAULT) if node is None else Value(keys, node.plain(), str(node.place))


def flatten(section: Section, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in section:
        if isinstance(value, Section):
            yield from flatten(value, (*path, key))
        elif value is not None:
            yield (*path, key), value


def lay_out(values: Sequence[Value]) -> Iterator[tuple[str, str]]:
    """A line for each value, with its origin, and before it one for each section that begins, without."""
    opened: tuple[str, ...] = ()
    for value in values:
        *sections, key = value.keys
        for depth, section in enumerate(sections):
            if value.keys[: depth + 1] != opened[: depth + 1]:
                yield f"{INDENT * depth}{section}:", ""
        opened = value.keys[:-1]
        yield f"{INDENT * len(sections)}{key}: {write_value(value.said)}", value.origin
