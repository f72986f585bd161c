"""`gpt2forge schema` accepts valid recipes, and rejects others."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from tests.workshop import ROOT, SHIPPED, Workshop


@pytest.fixture(scope="module")
def schema(workshop: Workshop) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(workshop.run("schema").stdout)
    return found


@pytest.mark.parametrize("name", [*SHIPPED, "base/cpu", "base/vnni"])
def test_shipped_recipe_fits_the_schema(schema: dict[str, Any], name: str) -> None:
    jsonschema.validate(yaml.safe_load((ROOT / f"recipes/{name}.yaml").read_text()), schema)


def test_every_field_has_a_description(schema: dict[str, Any]) -> None:
    for name, section in {"Recipe": schema, **schema["$defs"]}.items():
        for key, field in section["properties"].items():
            choices = [field, *field.get("anyOf", ())]
            assert any(choice.get("description") for choice in choices), f"{name}.{key}"


def test_section_that_is_deleted_fits(schema: dict[str, Any]) -> None:
    jsonschema.validate({"extends": "x.yaml", "quantization": None, "target": {"cpu": "vnni"}}, schema)


def test_schema_is_one_line_of_json_on_request(workshop: Workshop, schema: dict[str, Any]) -> None:
    (line,) = workshop.run("schema", "--json").stdout.splitlines()
    assert json.loads(line) == schema


@pytest.mark.parametrize(
    "text",
    [
        *("{name: x, sorce: {}}", "{extends: y, fusion: {gelu: 1}}", "{target: {device: gpu}}"),
        *("{quantization: {overrides: {h.0.*: 8}}}", "{quantization: {overrides: {h.0.*: {bit: 8}}}}"),
        *("{quantization: {skip: h.0.*}}", "{quantization: {embeddings_granularity: channel}}"),
    ],
)
def test_bad_recipe_does_not_fit(schema: dict[str, Any], text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema)


@pytest.mark.parametrize(
    "text",
    [
        "{extends: [a.yaml, b.yaml]}",
        "{matrix: {a: {quantization: {scheme: int8}}, b: {verify: null}, c: {}}}",
        "{matrix: [{int8: {quantization: {scheme: int8}}}, {'32': {quantization: {granularity: 32}}}]}",
        "{extends: a.yaml, matrix: null}",
        "{extends: a.yaml, matrix: {a: null}}",
        "{quantization: {overrides: {h.0.*: {bits: 8, granularity: channel}, h.1.*: null}, skip: [h.2.*]}}",
        "{quantization: {overrides: null, skip: null, positions: float16, embeddings_granularity: 16}}",
    ],
)
def test_recipe_with_parents_and_variants_fits(schema: dict[str, Any], text: str) -> None:
    jsonschema.validate(yaml.safe_load(text), schema)


@pytest.mark.parametrize(
    "text",
    [
        *("{extends: []}", "{extends: [3]}", "{matrix: {}}", "{matrix: []}", "{matrix: int8}", "{matrix: [{}]}"),
        *("{matrix: {a: {name: b}}}", "{matrix: {a: {extends: b}}}", "{matrix: {a: {matrix: {}}}}"),
        *("{matrix: {a/b: {}}}", "{matrix: {'..': {}}}", "{matrix: {a: 3}}", "{matrix: [{a: null}]}"),
        "{matrix: {a: {quantization: {scheme: int9}}}}",
    ],
)
def test_bad_matrix_or_parent_does_not_fit(schema: dict[str, Any], text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema)


def test_schema_of_a_report_is_that_of_the_saved_ones(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    schema = json.loads(workshop.run("schema", "--report").stdout)
    jsonschema.validate(json.loads((workshop.folder / "build/nano-cpu-int8.json").read_text()), schema)
    done = workshop.run("schema", "--report", "--settings", code=1)
    assert "leave out one" in done.stderr
