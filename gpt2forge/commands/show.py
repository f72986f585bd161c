"""`gpt2forge recipe show`: the whole recipe, parents merged and defaults filled in, and where each value was said."""

from collections.abc import Iterator, Sequence
from typing import Any

from gpt2forge import console
from gpt2forge.document import Node, write_value
from gpt2forge.recipe import load_recipe
from gpt2forge.stage import Section

INDENT = "  "
DEFAULT = "default"


def show(reference: str, with_origin: bool, as_json: bool, changes: Sequence[str], name: str | None) -> None:
    """Write a recipe that stands by itself, as YAML; with `with_origin` a comment behind each value says its place."""
    loaded = load_recipe(reference, changes, name)
    if as_json:
        origins = {".".join(keys): origin for keys, _, origin in list_values(loaded.recipe, loaded.document, ())}
        console.write_json({"recipe": loaded.recipe.model_dump(mode="json"), "origins": origins})
        return
    rows = list(write_section(loaded.recipe, loaded.document, 0))
    lines = console.align([(text, f"# {origin}" if origin and with_origin else "") for text, origin in rows])
    console.write(lines)


def write_section(section: Section, node: Node | None, depth: int) -> Iterator[tuple[str, str]]:
    """A line for each key, with its origin; a section has none, its values have."""
    for key, value in section:
        below = find(node, key)
        if isinstance(value, Section):
            lines = list(write_section(value, below, depth + 1))
            yield from [(f"{INDENT * depth}{key}:", ""), *lines] if lines else []
        elif value is not None:
            said = value if below is None else below.plain()
            yield f"{INDENT * depth}{key}: {write_value(said)}", DEFAULT if below is None else str(below.place)


def list_values(
    section: Section, node: Node | None, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any, str]]:
    """The path, the value as it was said, and the origin of each."""
    for key, value in section:
        below = find(node, key)
        if isinstance(value, Section):
            yield from list_values(value, below, (*path, key))
        elif value is not None:
            yield (
                (*path, key),
                value if below is None else below.plain(),
                DEFAULT if below is None else str(below.place),
            )


def find(node: Node | None, key: str) -> Node | None:
    """What the document says of a key; None where it says nothing."""
    found = node.value.get(key) if node is not None and isinstance(node.value, dict) else None
    return found if isinstance(found, Node) else None
