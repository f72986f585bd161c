"""`gpt2forge schema`: JSON Schema of a recipe, for editors."""

import json
from typing import Any

from gpt2forge import console
from gpt2forge.recipe import Recipe


def schema(as_json: bool) -> None:
    """Write the schema on stdout, as JSON in any case: on one line with `as_json`."""
    if as_json:
        console.write_json(make_schema())
    else:
        console.write(json.dumps(make_schema(), indent=2) + "\n")


def make_schema() -> dict[str, Any]:
    """The schema of a recipe file: that of a whole recipe, where a parent may say what the file leaves out."""
    made = Recipe.model_json_schema()
    extends = {
        "type": "string",
        "description": "another recipe, which this one changes; its path starts at this file's folder",
    }
    made["properties"] = {**made["properties"], "extends": extends}
    for section in (made, *made["$defs"].values()):
        section.pop("required", None)  # what a file leaves out, its parent may say
        for key, value in section["properties"].items():
            section["properties"][key] = {"anyOf": [value, {"type": "null"}]}  # null deletes what a parent says
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
