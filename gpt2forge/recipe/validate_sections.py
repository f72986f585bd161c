"""The sections of a recipe, each validated by itself."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gpt2forge.errors import MOST_FAULTS, Fault, suggest_close
from gpt2forge.recipe.faults import explain, join_keys
from gpt2forge.recipe.schema import Loc, Recipe, find_section
from gpt2forge.recipe.sections.quantization_section import check_pattern
from gpt2forge.recipe.yaml import Node

OVERRIDES = ("quantization", "overrides")


def validate_sections(document: Node, path: Path, unknown: Collection[Loc]) -> tuple[dict[str, Any], list[Fault]]:
    """Return the valid sections by name, and the faults of the others.

    `unknown` are the keys that were taken out of the document: one that is missing may be one of these, misspelt.
    """
    plain = document.plain()
    try:
        return dict(Recipe.model_validate(plain)), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    wrong = {detail["loc"][0] for detail in details}
    sections = {name: validate_section(name, plain) for name in Recipe.model_fields if name not in wrong}
    told = [detail for detail in details if detail["type"] != "missing" or not is_misspelt(detail["loc"], unknown)]
    return sections, [explain(dict(detail), document, path) for detail in told]


def is_misspelt(missing: Loc, unknown: Collection[Loc]) -> bool:
    """Return whether an unknown key is a missing one, misspelt, or the `extends` that would bring it."""
    beside = [str(loc[-1]) for loc in unknown if loc[:-1] == missing[:-1]]
    above = [str(loc[0]) for loc in unknown if len(loc) == 1]
    return is_near(str(missing[-1]), beside) or is_near("extends", above)


def is_near(key: str, words: Collection[str]) -> bool:
    return any(suggest_close(word, [key]) for word in list(words)[:MOST_FAULTS])


def validate_section(name: str, plain: dict[str, Any]) -> Any:
    """Return a section that pydantic found nothing wrong with, or its default."""
    field = Recipe.model_fields[name]
    if name not in plain:
        return field.default
    section = find_section(field.annotation)
    return plain[name] if section is str else section.model_validate(plain[name])


def check_empty(written: Node, loc: Loc = ()) -> Iterator[Fault]:
    """Yield a fault for each key that nothing stands behind: it would pass in silence, and delete a parent's value."""
    for key, child in written.value.items():
        below = (*loc, key)
        if child.is_empty:
            message = f"`{join_keys(below)}:` has no value; write one, remove the key, or write `null` to delete it"
            yield Fault(child.place, message)
        elif isinstance(child.value, dict):
            yield from check_empty(child, below)


def check_deleted_patterns(written: Node) -> Iterator[Fault]:
    """Yield a fault for each override that a null deletes and that no model can have: validation sees no nulls."""
    overrides = node.value if (node := written.find(OVERRIDES)) else None
    for pattern, child in overrides.items() if isinstance(overrides, dict) else ():
        if child.value is None:
            try:
                check_pattern(pattern)
            except ValueError as error:
                yield Fault(child.place, f"`{join_keys((*OVERRIDES, pattern))}: null` {error}")
