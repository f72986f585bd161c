"""`gpt2forge schema`: JSON Schema of a recipe, or of the settings, for editors."""

import json
from typing import Any

from gpt2forge import console
from gpt2forge.recipe import Recipe
from gpt2forge.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(as_json: bool, of_settings: bool) -> None:
    """Write the schema on stdout, as JSON in any case: on one line with `as_json`."""
    made = allow_null(Settings.model_json_schema()) if of_settings else make_recipe_schema()
    if as_json:
        console.write_json(made)
    else:
        console.write(json.dumps(made, indent=2) + "\n")


def make_recipe_schema() -> dict[str, Any]:
    """The schema of a recipe file: that of a whole recipe, where a parent may say what the file leaves out."""
    made = Recipe.model_json_schema()
    extends = {
        "type": "string",
        "description": "another recipe, which this one changes; its path starts at this file's folder",
    }
    made["properties"] = {**made["properties"], "extends": extends}
    for section in (made, *made["$defs"].values()):
        section.pop("required", None)  # what a file leaves out, its parent may say
    return allow_null(made)


def allow_null(made: dict[str, Any]) -> dict[str, Any]:
    """The schema where every value may be null: that deletes what a parent says, and else means the default."""
    for section in (made, *made["$defs"].values()):
        for key, value in section["properties"].items():
            section["properties"][key] = {"anyOf": [value, {"type": "null"}]}
    return {"$schema": DIALECT, **made}
