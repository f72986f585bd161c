"""Writes the generated parts of the documentation: the options of each command, and the keys of a recipe.

It also writes the table of commands that completion reads.

A part is between `<!-- generated: NAME -->` and `<!-- end -->`. Its texts are the help of the options, and the
descriptions and defaults of the recipe's fields: each is written in one place.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from gpt2forge.cli.completion_table import write_table
from gpt2forge.cli.program import program
from gpt2forge.cli.schema_command import EXTENDS, make_matrix
from gpt2forge.recipe.schema import Recipe

PAGES = [Path(__file__).parents[1] / "docs" / name for name in ("commands.md", "recipes.md")]
PART = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
TYPES = {
    **{"boolean": "`true`, `false`", "integer": "a whole number", "number": "a number"},
    **{"string": "a path", "array": "a list", "object": "a mapping"},  # every text without a pattern is a path
}
LIMITS = {"minimum": "{} or more", "exclusiveMinimum": "above {}", "maximum": "{} or less"}
"""The words for the limits of a number."""
Schema = Mapping[str, Any]


def main() -> None:
    for page in PAGES:
        page.write_text(fill(page.read_text()))
    write_table(program)


def fill(text: str) -> str:
    """Return a page with all its generated parts written again."""
    return PART.sub(lambda found: f"{found[1]}\n{make_part(found[2])}\n\n{found[3]}", text)


def make_part(name: str) -> str:
    words = name.removeprefix("options of ").split()
    return "\n".join(tabulate_keys() if name == "keys of a recipe" else list_options(words))


def list_options(words: list[str]) -> Iterator[str]:
    """Yield a list item for each option of the command that these words call."""
    command: click.Command = program
    context = click.Context(command, **program.context_settings)
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
        context = click.Context(command, parent=context)
    for option in command.params:
        if isinstance(option, click.Option):
            yield format_option(option, context)


def format_option(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    usage = names if option.is_flag else f"{names[:-1]} {option.make_metavar(context)}`"
    default = option.get_help_extra(context).get("default")
    # click puts what is no value of the option in parentheses
    shown = default[1:-1] if default and default.startswith("(") else f"`{default}`"
    marks = {"Required.": option.required, "Repeatable.": option.multiple, f"Default: {shown}.": bool(default)}
    return " ".join([f"* {usage}:", str(option.help), *(mark for mark, applies in marks.items() if applies)])


def tabulate_keys() -> Iterator[str]:
    """Yield a table with a row for each key that a recipe file may have."""
    yield "| key | values | default | meaning |"
    yield "|---|---|---|---|"
    recipe = Recipe.model_json_schema()
    fields = recipe["properties"]
    fields = {"name": fields["name"], "extends": EXTENDS, "matrix": make_matrix(), **fields}
    yield from list_rows({**recipe, "properties": fields}, recipe["$defs"], "")


def list_rows(section: Schema, definitions: Schema, prefix: str) -> Iterator[str]:
    for key, field in section["properties"].items():
        choices = list_choices(field, definitions)
        if "properties" in choices[0]:
            yield from list_rows(choices[0], definitions, f"{prefix}{key}.")
            continue
        default = field.get("default")
        shown = "required" if key in section.get("required", ()) else "" if default is None else format_value(default)
        values = " or ".join(dict.fromkeys(map(format_choice, choices)))
        yield f"| `{prefix}{key}` | {values} | {shown} | {field['description']} |"
        entry = choices[0].get("additionalProperties", {})
        if "$ref" in entry:
            yield from list_rows(list_choices(entry, definitions)[0], definitions, f"{prefix}{key}.PATTERN.")


def list_choices(field: Schema, definitions: Schema) -> list[Schema]:
    """Return the alternatives of a value, other than null, with references resolved."""
    choices = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    return [definitions[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in choices]


def format_choice(choice: Schema) -> str:
    if "const" in choice:
        return format_value(choice["const"])
    if "enum" in choice:
        return ", ".join(map(format_value, choice["enum"]))
    if choice.get("format") == "version":
        return "a version"
    if choice.get("format") == "recipe":
        return "`prompt-lookup` or a recipe"
    if "pattern" in choice:
        return "a percentage" if "%" in choice["pattern"] else "a name"
    return TYPES[choice["type"]] + "".join(
        f", {text.format(choice[key])}" for key, text in LIMITS.items() if key in choice
    )


def format_value(value: object) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


if __name__ == "__main__":
    main()
