"""What `gpt2forge plan` says."""

import json
from pathlib import Path

from tests.workshop import Workshop, make_workshop


def test_plan_of_a_fresh_folder_runs_everything_and_writes_no_artifact(tmp_path: Path) -> None:
    shop = make_workshop(tmp_path)
    assert shop.run("plan", "nano-cpu-int8").stdout.splitlines() == [
        "will run  convert   not built before",
        "will run  export    not built before",
        "will run  fuse      not built before",
        "will run  quantize  not built before",
    ]
    assert not (shop.store / "artifacts").exists()


def test_plan_of_an_edited_recipe_names_the_value(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    words = ("--set", "quantization.embeddings=int4", "--json")
    steps = json.loads(workshop.run("plan", "nano-cpu-int8", *words).stdout)["steps"]
    assert [(step["stage"], step["verdict"]) for step in steps] == [
        ("convert", "done"),
        ("export", "done"),
        ("fuse", "done"),
        ("quantize", "will run"),
    ]
    assert steps[3]["reason"] == "`quantization.embeddings` int8 -> int4"
