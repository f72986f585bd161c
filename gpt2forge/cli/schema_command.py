"""`gpt2forge schema`: writes the JSON Schema of a recipe, of the settings, or of a report."""

import json
from typing import Any

import click

from gpt2forge.builder.report import make_report_schema
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option
from gpt2forge.errors import UserError
from gpt2forge.recipe.schema import Recipe
from gpt2forge.recipe.variants import NAME
from gpt2forge.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"

NULL = {"type": "null"}
PATH = {"type": "string"}
EXTENDS = {
    "description": "the recipe that this one changes, or several, of which later ones win; "
    "a path starts at this file's folder, and `gpt2forge/cpu` and the like come with gpt2forge",
    "anyOf": [PATH, {"type": "array", "items": PATH, "minItems": 1}, NULL],
}


@click.command("schema")
@click.option("--settings", "of_settings", is_flag=True, help="Write the schema of gpt2forge.yaml instead.")
@click.option("--report", "of_report", is_flag=True, help="Write the schema of a report instead.")
@json_option
def schema(of_settings: bool, of_report: bool, as_json: bool) -> None:
    """Write the JSON Schema of a recipe, for editors."""
    if of_settings and of_report:
        raise UserError("`--settings` and `--report` ask for different schemas; leave out one")
    if of_report:
        made = {"$schema": DIALECT, **make_report_schema()}
    else:
        made = make_settings_schema() if of_settings else make_recipe_schema()
    if as_json:
        console.write_json(made)
    else:
        console.write(json.dumps(made, indent=2) + "\n")


def make_settings_schema() -> dict[str, Any]:
    """Return the schema of gpt2forge.yaml."""
    return allow_null(Settings.model_json_schema())


def make_recipe_schema() -> dict[str, Any]:
    """Return the schema of a recipe file, in which a key may be missing because a parent or a variant has it."""
    made = Recipe.model_json_schema()
    for section in (made, *made["$defs"].values()):
        section.pop("required", None)
    made = allow_null(made)
    changed = {key: value for key, value in made["properties"].items() if key != "name"}
    made["$defs"]["Variant"] = {"type": "object", "properties": changed, "additionalProperties": False}
    made["properties"] = {**made["properties"], "extends": EXTENDS, "matrix": make_matrix()}
    return made


def allow_null(made: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with null allowed for every value: it deletes the parent's value, or means the default."""
    for section in (made, *made["$defs"].values()):
        for key, value in section["properties"].items():
            section["properties"][key] = {"anyOf": [allow_null_entries(value), NULL]}
    return {"$schema": DIALECT, **made}


def allow_null_entries(value: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value with null allowed for every entry of a mapping with free keys."""
    choices = [allow_null_entries(choice) for choice in value.get("anyOf", ())]
    entries = value.get("additionalProperties")
    return {
        **value,
        **({"anyOf": choices} if choices else {}),
        **({"additionalProperties": {"anyOf": [entries, NULL]}} if isinstance(entries, dict) else {}),
    }


def make_matrix() -> dict[str, Any]:
    """Return the schema of `matrix`: a mapping of variants, where null deletes a parent's, or a list of mappings."""
    variant = {"$ref": "#/$defs/Variant"}
    names = {"type": "object", "propertyNames": {"pattern": f"^{NAME.pattern}$"}}
    axis = {**names, "minProperties": 1, "additionalProperties": variant}
    return {
        "description": "variants by name, each with its changes; a list of such mappings makes every combination",
        "anyOf": [
            {**names, "minProperties": 1, "additionalProperties": {"anyOf": [variant, NULL]}},
            {"type": "array", "items": axis, "minItems": 1},
            NULL,
        ],
    }
