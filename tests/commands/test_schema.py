"""The schema that editors use agrees with what a recipe may say."""

import json

import jsonschema
import pytest
import yaml

from tests.workshop import ROOT, SHIPPED, Workshop


@pytest.fixture(scope="module")
def schema(workshop: Workshop) -> dict[str, object]:
    found: dict[str, object] = json.loads(workshop.run("schema").stdout)
    return found


@pytest.mark.parametrize("name", [*SHIPPED, "base/cpu", "base/vnni"])
def test_shipped_recipe_fits_the_schema(schema: dict[str, object], name: str) -> None:
    jsonschema.validate(yaml.safe_load((ROOT / f"recipes/{name}.yaml").read_text()), schema)


def test_section_that_is_deleted_fits(schema: dict[str, object]) -> None:
    jsonschema.validate({"extends": "x.yaml", "quantization": None, "target": {"cpu": "vnni"}}, schema)


def test_schema_is_one_line_of_json_on_request(workshop: Workshop, schema: dict[str, object]) -> None:
    (line,) = workshop.run("schema", "--json").stdout.splitlines()
    assert json.loads(line) == schema


@pytest.mark.parametrize(
    "text", ["{name: x, sorce: {}}", "{extends: y, fusion: {gelu: 1}}", "{target: {device: cuda}}"]
)
def test_bad_recipe_does_not_fit(schema: dict[str, object], text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema)
