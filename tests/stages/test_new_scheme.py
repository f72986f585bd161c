"""A new scheme is an entry of the table and nothing else."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from gpt2forge.builder.limits import find_tolerances
from gpt2forge.cli.schema_command import make_recipe_schema
from gpt2forge.quantize.scheme_table import CACHE_TOLERANCES, SCHEMES, allow
from gpt2forge.recipe.load import load_recipe
from gpt2forge.recipe.sections.quantization_section import Block, Cache, Override
from gpt2forge.stages.quantize import STAGE
from gpt2forge.stages.stage import Inputs
from tests.graph.models import Shape, make_tiny
from tests.stages.run_quantize import run_quantize

RECIPE = """\
name: toy
source: {checkpoint: here}
target: {device: cpu}
quantization: {scheme: int8-fine, embeddings: int8-fine, overrides: {h.0.*: {bits: 4}}}
verify: {text: there}
"""


@pytest.fixture
def schemes(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    """The table with 8-bit integers in blocks of 16 as a scheme of their own."""
    monkeypatch.setitem(SCHEMES, "int8-fine", replace(SCHEMES["int8"], block=16, share=0.4, tolerances=allow(0.02)))
    return SCHEMES


def test_recipe_with_a_new_scheme_is_read_and_built(
    schemes: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("toy.yaml").write_text(RECIPE)
    loaded = load_recipe("toy.yaml")
    section = loaded.recipe.quantization
    assert (section.granularity, section.embeddings, section.embeddings_granularity) == (16, "int8-fine", None)
    assert find_tolerances(loaded)["steps_equal_pass"] == 0.02
    assert STAGE.guess(section, 100) == 40
    tiny = make_tiny(tmp_path / "tiny", Shape())
    Path("out").mkdir()
    run_quantize(Inputs({"weights": tiny.weights, "graph": tiny.graph}), section, loaded.recipe.target, Path("out"))
    rows = {
        row["name"]: (row["bits"], row["block"]) for row in json.loads(Path("out/forge.json").read_text())["tensors"]
    }
    assert rows["wte.weight"] == rows["h.1.mlp.c_fc.weight"] == (8, 16)
    assert rows["h.0.mlp.c_fc.weight"] == (4, 32)


def test_schema_has_the_new_scheme(schemes: Mapping[str, Any]) -> None:
    properties = make_recipe_schema()["$defs"]["Quantization"]["properties"]
    assert properties["scheme"]["anyOf"][0]["enum"] == ["none", "int8", "int4", "float16", "int8-fine"]
    assert "int8-fine" in json.dumps(properties["embeddings"])


def test_types_of_the_recipe_hold_every_scheme() -> None:
    integers = [spec for spec in SCHEMES.values() if spec.has_scales]
    assert {spec.bits for spec in integers} == set(get_args(Override.model_fields["bits"].annotation))
    assert {spec.block for spec in integers} <= set(get_args(Block))
    assert list(CACHE_TOLERANCES) == list(get_args(Cache))
