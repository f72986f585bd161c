"""Keys that a section does not have.

They are found before the sections are validated, so that a section with a misspelt key is checked for all else too.
"""

from collections.abc import Collection, Iterator

from gpt2forge.errors import Fault, Place, suggest
from gpt2forge.recipe.faults import join_keys
from gpt2forge.recipe.meant import simplify
from gpt2forge.recipe.schema import Loc, Recipe, has_patterns, has_section, section_fields
from gpt2forge.recipe.sections.section import Section
from gpt2forge.recipe.syntax_faults import ODD_SPACES
from gpt2forge.recipe.yaml import Node

MEANT = {
    **dict.fromkeys(("bits", "dtype", "precision", "type", "format", "weights"), ("scheme",)),
    **dict.fromkeys(("groupsize", "blocksize", "group", "block"), ("granularity",)),
    **dict.fromkeys(("path", "model", "modelpath", "folder", "file", "dataset", "data"), ("checkpoint", "text")),
    **dict.fromkeys(("samples", "maxtokens", "length"), ("tokens",)),
    **dict.fromkeys(("exclude", "ignore", "modulestonotconvert"), ("skip",)),
    **dict.fromkeys(("algorithm", "quantmethod"), ("method",)),
    **dict.fromkeys(("base", "inherits", "from", "parent"), ("extends",)),
    **dict.fromkeys(("variants", "strategy"), ("matrix",)),
}
"""What other programs call a key, in small letters without `-` and `_`, and the keys that may be meant here."""


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
    known, key, place = section_fields(loc[:-1], model), str(loc[-1]), document.nearest(loc).place
    meant = next((each for each in MEANT.get(simplify(key), ()) if each in known), None)
    close = f"; did you mean `{meant}`?" if meant else suggest(key, known)
    fix = explain_space(key) or suggest_section(loc, model, place) or close
    return Fault(place, f"unknown key `{join_keys(loc)}`{fix}")


def explain_space(key: str) -> str:
    """Return the end of a message about a key with a character that looks like a space; empty if it has none."""
    found = ODD_SPACES.search(key)
    return f"; its U+{ord(found[0]):04X} looks like a space and is none, so type spaces instead" if found else ""


def suggest_section(loc: Loc, model: type[Section], place: Place) -> str:
    """Return the end of a message: the sections that have the key; empty if none has."""
    key = str(loc[-1])
    if place.file.startswith("--set "):
        return suggest_path(key, model)
    if key in section_fields((), model):
        return f"; `{key}` belongs at the start of a line, without spaces in front of it"
    owners = [f"`{name}:`" for name in list_owners(key, model)]
    return f"; it belongs below {' or '.join(owners)}, with spaces in front of it" if owners else ""


def suggest_path(key: str, model: type[Section]) -> str:
    """Return the end of a message about a key of `--set`: the whole paths of the keys with this name."""
    paths = [f"`{name}.{key}`" for name in list_owners(key, model)]
    return f"; did you mean {' or '.join(paths)}?" if paths else ""


def list_owners(key: str, model: type[Section]) -> list[str]:
    """List the sections that have a key."""
    sections = [name for name in model.model_fields if has_section((name,), model)]
    return [name for name in sections if key in section_fields((name,), model)]


def remove(node: Node, unwanted: Collection[Loc], loc: Loc = ()) -> Node:
    """Return the document without the values at these paths."""
    if not isinstance(node.value, dict):
        return node
    kept = {key: child for key, child in node.value.items() if (*loc, key) not in unwanted}
    return Node({key: remove(child, unwanted, (*loc, key)) for key, child in kept.items()}, node.place)
