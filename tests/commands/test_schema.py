"""The schema that editors use agrees with what a recipe may say."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.workshop import ROOT, Workshop


@pytest.fixture(scope="module")
def schema(workshop: Workshop) -> dict[str, object]:
    found: dict[str, object] = json.loads(workshop.run("schema").stdout)
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipe_fits_the_schema(schema: dict[str, object], path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)


@pytest.mark.parametrize(
    "text", ["name: x", "{name: x, extends: y, sorce: {}}", "{name: x, extends: y, fusion: {gelu: 1}}"]
)
def test_bad_recipe_does_not_fit(schema: dict[str, object], text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema)
