"""`gpt2forge schema`: JSON Schema of a recipe, of the settings, or of a report."""

import json
from typing import Any

from gpt2forge.builder.report import make_report_schema
from gpt2forge.cli import console
from gpt2forge.errors import UserError
from gpt2forge.recipe.schema import Recipe
from gpt2forge.recipe.variants import NAME
from gpt2forge.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"

NULL = {"type": "null"}
PATH = {"type": "string"}
EXTENDS = {
    "description": "another recipe, which this one changes, or several, of which later ones win; "
    "each path starts at this file's folder",
    "anyOf": [PATH, {"type": "array", "items": PATH, "minItems": 1}, NULL],
}


def schema(as_json: bool, of_settings: bool, of_report: bool) -> None:
    """Write the schema on stdout, as JSON in any case: on one line with `as_json`."""
    if of_settings and of_report:
        raise UserError("`--settings` and `--report`: each is a schema of its own; leave out one")
    if of_report:
        made = {"$schema": DIALECT, **make_report_schema()}
    else:
        made = allow_null(Settings.model_json_schema()) if of_settings else make_recipe_schema()
    if as_json:
        console.write_json(made)
    else:
        console.write(json.dumps(made, indent=2) + "\n")


def make_recipe_schema() -> dict[str, Any]:
    """The schema of a recipe file: that of a whole recipe, where a parent or a variant may say what is left out."""
    made = Recipe.model_json_schema()
    for section in (made, *made["$defs"].values()):
        section.pop("required", None)  # what a file leaves out, its parent may say
    made = allow_null(made)
    changed = {key: value for key, value in made["properties"].items() if key != "name"}
    made["$defs"]["Variant"] = {"type": "object", "properties": changed, "additionalProperties": False}
    made["properties"] = {**made["properties"], "extends": EXTENDS, "matrix": make_matrix()}
    return made


def allow_null(made: dict[str, Any]) -> dict[str, Any]:
    """The schema where every value may be null: that deletes what a parent says, and else means the default."""
    for section in (made, *made["$defs"].values()):
        for key, value in section["properties"].items():
            section["properties"][key] = {"anyOf": [allow_null_entries(value), NULL]}
    return {"$schema": DIALECT, **made}


def allow_null_entries(value: dict[str, Any]) -> dict[str, Any]:
    """The same of a mapping whose keys are anybody's own."""
    choices = [allow_null_entries(choice) for choice in value.get("anyOf", ())]
    entries = value.get("additionalProperties")
    return {
        **value,
        **({"anyOf": choices} if choices else {}),
        **({"additionalProperties": {"anyOf": [entries, NULL]}} if isinstance(entries, dict) else {}),
    }


def make_matrix() -> dict[str, Any]:
    """A mapping of variants, in which null deletes one of a parent's, or a list of mappings, in which nothing can."""
    variant = {"$ref": "#/$defs/Variant"}
    names = {"type": "object", "propertyNames": {"pattern": f"^{NAME.pattern}$"}}
    axis = {**names, "minProperties": 1, "additionalProperties": variant}
    return {
        "description": "variants by name, each what it changes; of a list of such mappings every combination",
        "anyOf": [
            {**names, "minProperties": 1, "additionalProperties": {"anyOf": [variant, NULL]}},
            {"type": "array", "items": axis, "minItems": 1},
            NULL,
        ],
    }
