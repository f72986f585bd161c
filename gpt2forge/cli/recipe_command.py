"""`gpt2forge recipe show`: writes a recipe with parents merged and defaults filled in, and the place of each value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from gpt2forge.cli import console
from gpt2forge.cli.options import json_option, recipe_options
from gpt2forge.recipe.load import LoadedRecipe, load_recipes
from gpt2forge.recipe.schema import has_section
from gpt2forge.recipe.sections.section import Section
from gpt2forge.recipe.yaml import Node, write_value

INDENT = "  "
DEFAULT = "default"


@click.group("recipe")
def recipe() -> None:
    """Look at a recipe."""


@recipe.command("show")
@click.argument("selector", metavar="RECIPE")
@recipe_options
@click.option("--origin", "with_origin", is_flag=True, help="Write the place that sets each value behind it.")
@json_option
def show(selector: str, changes: tuple[str, ...], name: str | None, with_origin: bool, as_json: bool) -> None:
    """Write the whole recipe: parents merged, defaults filled in. List the variants if there are several."""
    found = load_recipes([selector], changes, name)
    if len(found) > 1:
        show_several(found, with_origin, as_json)
    else:
        show_one(found[0], with_origin, as_json)


def show_several(found: Sequence[LoadedRecipe], with_origin: bool, as_json: bool) -> None:
    """Write a line for each variant: its name, and its changes as `--set` takes them."""
    variants = [(each.recipe.name, each.selected.variant.changes if each.selected.variant else None) for each in found]
    if as_json:
        console.write_json({"recipes": {name: node.plain() if node else {} for name, node in variants}})
        return
    rows = [
        (name, " ".join(list_changes(node, ())) if node else "", f"# {node.place}" if node and with_origin else "")
        for name, node in variants
    ]
    console.write(console.align(rows))


def list_changes(node: Node, path: tuple[str, ...]) -> Iterator[str]:
    """Yield each value of a variant as the argument of a `--set`."""
    if isinstance(node.value, dict) and node.value and has_section(path):  # keys of other mappings may contain dots
        for key, child in node.value.items():
            yield from list_changes(child, (*path, key))
    elif node.value is None:
        yield f"~{'.'.join(path)}"
    elif path:
        yield f"{'.'.join(path)}={write_value(node.plain())}"


def show_one(loaded: LoadedRecipe, with_origin: bool, as_json: bool) -> None:
    """Write a recipe as YAML that needs no parents."""
    values = list(list_values(loaded))
    if as_json:
        origins = {".".join(value.keys): value.origin for value in values}
        console.write_json({"recipe": loaded.recipe.model_dump(mode="json"), "origins": origins})
        return
    rows = [(text, f"# {origin}" if origin and with_origin else "") for text, origin in lay_out(values)]
    console.write(console.align(rows))


@dataclass(frozen=True)
class Value:
    """One value of a recipe as its file writes it, and the place that sets it."""

    keys: tuple[str, ...]
    said: Any
    origin: str


def list_values(loaded: LoadedRecipe) -> Iterator[Value]:
    """Yield every value that is set, defaults too, in the order of the schema."""
    for keys, value in flatten(loaded.recipe, ()):
        node = loaded.document.find(keys)
        yield Value(keys, value, DEFAULT) if node is None else Value(keys, node.plain(), str(node.place))


def flatten(section: Section, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the value of each key that is not None, through all sections."""
    for key, value in section:
        if isinstance(value, Section):
            yield from flatten(value, (*path, key))
        elif value is not None:
            yield (*path, key), value


def lay_out(values: Sequence[Value]) -> Iterator[tuple[str, str]]:
    """Yield a line of YAML and its origin for each value; a line that begins a section has no origin."""
    opened: tuple[str, ...] = ()
    for value in values:
        *sections, key = value.keys
        for depth, section in enumerate(sections):
            if value.keys[: depth + 1] != opened[: depth + 1]:
                yield f"{INDENT * depth}{section}:", ""
        opened = value.keys[:-1]
        yield f"{INDENT * len(sections)}{key}: {write_value(value.said)}", value.origin
