"""`gpt2forge profile` on the example."""

import json

import pytest

from tests.workshop import Workshop

pytestmark = pytest.mark.slow

FEW = ("--prompt-tokens", "8", "--new-tokens", "4", "--rounds", "1")


def test_time_is_shown_by_operator_and_layer_beside_the_least(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    found = json.loads(workshop.run("profile", "nano-cpu-int8", *FEW, "--json").stdout)
    prompt, token = found["phases"]
    assert (prompt["name"], token["name"]) == ("prompt", "token")
    layers = {row["name"]: row for row in token["layers"]}
    assert layers["h.0"]["limited_by"] in ("memory", "processor")
    assert layers["h.0"]["limit_ms"] > 0
    assert sum(row["ms"] for row in token["layers"]) + token["between_ms"] == pytest.approx(token["ms"], rel=0.3)
    assert [each["form"] for each in found["forms"]] == ["8x32", "8x128", "8xchannel", "4x32", "4x128"]
    assert min(found["machine"].values()) > 0


def test_more_tokens_than_the_context_are_one_line(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    done = workshop.run("profile", "nano-cpu-int8", "--prompt-tokens", "300", code=1)
    assert done.stderr == "error: 332 tokens are more than this model's 256; lower `--prompt-tokens`\n"


def test_a_recipe_that_is_not_built_is_one_line(workshop: Workshop) -> None:
    (line,) = workshop.run("profile", "nano-cpu-best", code=1).stderr.splitlines()
    assert "is not built; run `gpt2forge build nano-cpu-best`" in line
