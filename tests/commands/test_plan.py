"""What `gpt2forge plan` says."""

import json
from pathlib import Path

from gpt2forge.recipe import STAGES
from tests.workshop import Workshop, make_workshop


def test_plan_of_a_fresh_folder_runs_everything_and_writes_no_artifact(tmp_path: Path) -> None:
    shop = make_workshop(tmp_path)
    lines = shop.run("plan", "nano-cpu-int8").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["will", "run", stage.name, "not", "built", "before"] for stage in STAGES
    ]
    assert not (shop.store / "artifacts").exists()


def test_plan_of_an_edited_recipe_names_the_value(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    words = ("--set", "quantization.embeddings=int4", "--skip", "verify,benchmark", "--json")
    steps = json.loads(workshop.run("plan", "nano-cpu-int8", *words).stdout)["steps"]
    assert {step["stage"]: step["reason"] for step in steps if step["verdict"] == "will run"} == {
        "quantize": "`quantization.embeddings` int8 -> int4"
    }
    assert {step["verdict"] for step in steps} == {"done", "will run"}
