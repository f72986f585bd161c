"""Words for what is wrong with a value, and the fault that it makes at its place in the file."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from gpt2forge.errors import Fault, Place, quote
from gpt2forge.recipe.meant import suggest_choice, suggest_value
from gpt2forge.recipe.schema import Loc, Recipe, locate_section
from gpt2forge.recipe.sections.section import Section
from gpt2forge.recipe.yaml import Node, is_text, write_value

LONGEST = 60  # characters of a value in a message
EXPECTATIONS = {
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be `true` or `false`",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "list_type": "must be a list",
    "string_type": "must be text",
    "string_too_long": "is too long for a file's name",
    "string_pattern_mismatch": "must be made of letters, digits, `.`, `_`, `@` and `-`",
}

Finding = tuple[Loc, str]
"""The path of what is wrong in a recipe, and the message."""


def refuse(loc: Loc, value: Any, problem: str) -> Finding:
    """Return the finding that a value at a path has this problem."""
    return loc, f"{show_entry(loc, value)} {problem}"


def explain(detail: dict[str, Any], document: Node, path: Path) -> Fault:
    """Return one of pydantic's findings as a fault, in a recipe's words."""
    # pydantic adds its own steps (`int`, `literal[...]`) behind the path where a value may be of several types.
    loc = known_part(detail["loc"], document)
    node = document.nearest(loc)
    if detail["type"] == "missing":
        place = node.place if loc else Place(str(path), 1, 1)
        return Fault(place, f"the key `{join_keys(detail['loc'])}` is missing")
    place = node.place
    if detail["type"] == "model_type" and node.begins and node.begins.line > node.place.line:
        place = node.begins  # a line below the key that lacks its `:`
    fix = suggest_mapping(loc, node.plain()) if detail["type"] == "model_type" else ""
    return Fault(place, f"{show_entry(loc, node.plain())} {describe_expectation(detail, node.plain())}{fix}")


def suggest_mapping(loc: Loc, value: Any) -> str:
    """Return the end of a message about a value that should be a section: the key in it that is meant."""
    if value is False or value in ("off", "no", "none", "None"):
        return "; write `null` to leave it out"
    section = locate_section(loc) if loc and loc[0] in Recipe.model_fields else None
    if section is None:
        return ""
    if isinstance(value, list):
        return "; leave out the brackets or the `-` of a list"
    if not isinstance(value, str):
        return list_section(section)
    word, rest = re.match(r"(\w{0,40})[\s:=]*(.*)", value, re.DOTALL).groups()  # type: ignore[union-attr]
    if rest and word in section.model_fields:
        return f"; write `{word}: {show(rest)}`, with a `:` and a space"
    owner = next((name for name in section.model_fields if is_value_of(section, name, value)), None)
    if owner:
        return f"; did you mean `{join_keys(loc)}: {{{owner}: {show(value)}}}`?"
    return suggest_entry(loc, section, value) or list_section(section)


def suggest_entry(loc: Loc, section: type[Section], value: str) -> str:
    """Return the end of a message: the entry of a section that a word means, such as `gpu`, or that takes any text."""
    for name, field in section.model_fields.items():
        choices = [each for each in get_args(field.annotation) if isinstance(each, str)]
        found = re.search("`(.*)`", suggest_choice(value, choices))
        if found or (field.annotation is str and field.is_required()):
            return f"; did you mean `{join_keys(loc)}: {{{name}: {found[1] if found else show(value)}}}`?"
    return ""


def list_section(section: type[Section]) -> str:
    """Return the end of a message: the keys of a section."""
    return f"; write its keys below it, with spaces in front of them: {quote(list(section.model_fields))}"


def is_value_of(section: type[Section], name: str, value: str) -> bool:
    """Return whether a key of a section takes this word, and not every word."""
    return accepts(section, name, value) and not accepts(section, name, f"{value}?")


def accepts(section: type[Section], name: str, value: str) -> bool:
    try:
        section.model_validate({name: value})
    except ValidationError as error:
        return all(detail["loc"][0] != name for detail in error.errors())
    return True


def known_part(loc: Loc, document: Node) -> Loc:
    """Return the longest beginning of `loc` that stands in the document."""
    while loc and document.nearest(loc) is document.nearest(loc[:-1]):
        loc = loc[:-1]
    return loc


def describe_expectation(detail: dict[str, Any], value: Any) -> str:
    """Return what pydantic expected of a value, as in "must be a number"."""
    message: str = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if detail["type"] == "literal_error":
        choices = [part.strip("'") for part in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        which = "must be one of" if len(choices) > 1 else "must be"
        return f"{which} {quote(choices)}{suggest_choice(value, choices)}"
    if detail["type"] == "greater_than_equal":
        return f"must be {detail['ctx']['ge']:g} or more"
    expected = EXPECTATIONS.get(detail["type"], message[0].lower() + message[1:].replace("'", "`"))
    return f"{expected}{suggest_value(value, expected)}"


def join_keys(loc: Loc) -> str:
    """Return a path as in `quantization.granularity`."""
    return ".".join(map(str, loc))


def show_entry(loc: Loc, value: Any) -> str:
    """Return a key with its value, as in "`quantization.granularity: 32`"."""
    return f"`{join_keys(loc)}: {show(value)}`"


def join_choices(key: str, values: Iterable[str]) -> str:
    """Return a key with each of its values that would do."""
    return " or ".join(f"`{key}: {value}`" for value in values)


def show(value: Any) -> str:
    """Return a value as YAML writes it, on one line of limited length."""
    if isinstance(value, bool):
        return str(value).lower()
    text = "{...}" if isinstance(value, dict) else write_value(value) if isinstance(value, list) else str(value)
    text = " ".join(text.split())
    if isinstance(value, str) and not is_text(text):
        text = f'"{text}"'  # the quotes are what is wrong with it
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
