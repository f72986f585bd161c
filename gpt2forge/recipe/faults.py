"""Writes the faults that pydantic finds in a recipe's words, each with its place in the file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gpt2forge.errors import Fault, Place, quote, suggest, suggest_close
from gpt2forge.recipe.schema import Loc, section_fields
from gpt2forge.recipe.yaml import Node, is_text

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


def explain(
    detail: dict[str, Any], document: Node, path: Path, keys: Callable[[Loc], Sequence[str]] | None = None
) -> Fault:
    """Say one of pydantic's findings in a recipe's words, at its place in the file.

    `keys`: what the mapping at a path may have, where that is no recipe.
    """
    # pydantic adds its own steps (`int`, `literal[...]`) behind the path where a value may be of several types.
    loc = known_part(detail["loc"], document)
    node = document.nearest(loc)
    dotted = ".".join(str(part) for part in loc)
    if detail["type"] == "extra_forbidden":
        known = list((keys or section_fields)(loc[:-1]))
        return Fault(node.place, f"unknown key `{dotted}`{suggest(str(loc[-1]), known)}")
    if detail["type"] == "missing":
        dotted = ".".join(str(part) for part in detail["loc"])
        place = node.place if loc else Place(str(path), 1, 1)
        return Fault(place, f"the key `{dotted}` is missing")
    return Fault(node.place, f"`{dotted}: {show(node.plain())}` {say_expectation(detail, node.plain())}")


def known_part(loc: Loc, document: Node) -> Loc:
    """The longest beginning of `loc` that stands in the document."""
    while loc and document.nearest(loc) is document.nearest(loc[:-1]):
        loc = loc[:-1]
    return loc


def say_expectation(detail: dict[str, Any], value: Any) -> str:
    message: str = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if detail["type"] == "literal_error":
        choices = [part.strip("'") for part in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        which = "must be one of" if len(choices) > 1 else "must be"
        return f"{which} {quote(choices)}{suggest_close(str(value), choices)}"
    if detail["type"] in EXPECTATIONS:
        return EXPECTATIONS[detail["type"]]
    return message[0].lower() + message[1:].replace("'", "`")


def show(value: Any) -> str:
    """A value as YAML writes it, on one line that is not too long."""
    if isinstance(value, bool):
        return str(value).lower()
    text = "{...}" if isinstance(value, dict) else " ".join(str(value).split())
    if isinstance(value, str) and not is_text(text):
        text = f'"{text}"'  # the quotes are what is wrong with it
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
