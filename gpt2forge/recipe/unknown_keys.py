"""Keys that a section does not have.

They are found before the sections are validated, so that a section with a misspelt key is checked for all else too.
"""

from collections.abc import Collection, Iterator

from gpt2forge.errors import Fault, suggest
from gpt2forge.recipe.faults import join_keys
from gpt2forge.recipe.schema import Loc, Recipe, has_patterns, has_section, section_fields
from gpt2forge.recipe.sections.section import Section
from gpt2forge.recipe.yaml import Node


def list_unknown(document: Node, model: type[Section] = Recipe, loc: Loc = ()) -> Iterator[Loc]:
    """Yield the path of each key that its section does not have, also where its value is null."""
    for key, child in document.value.items():
        below = (*loc, key)
        if has_section(loc, model) and key not in section_fields(loc, model):
            yield below
        elif isinstance(child.value, dict) and (has_section(below, model) or has_patterns(below, model)):
            yield from list_unknown(child, model, below)


def explain_unknown(loc: Loc, document: Node, model: type[Section] = Recipe) -> Fault:
    """Return the fault of an unknown key, with the known one that is nearest."""
    known = section_fields(loc[:-1], model)
    fix = suggest_section(loc, model) or suggest(str(loc[-1]), known)
    return Fault(document.nearest(loc).place, f"unknown key `{join_keys(loc)}`{fix}")


def suggest_section(loc: Loc, model: type[Section]) -> str:
    """Return the end of a message: the sections that have the key; empty if none has."""
    key = str(loc[-1])
    if key in section_fields((), model):
        return f"; `{key}` belongs at the start of a line, without spaces in front of it"
    sections = [name for name in model.model_fields if has_section((name,), model)]
    owners = [f"`{name}:`" for name in sections if key in section_fields((name,), model)]
    return f"; it belongs below {' or '.join(owners)}, with spaces in front of it" if owners else ""


def remove(node: Node, unwanted: Collection[Loc], loc: Loc = ()) -> Node:
    """Return the document without the values at these paths."""
    if not isinstance(node.value, dict):
        return node
    kept = {key: child for key, child in node.value.items() if (*loc, key) not in unwanted}
    return Node({key: remove(child, unwanted, (*loc, key)) for key, child in kept.items()}, node.place)
